"""EFFECT: namespaces and netlink; the only importer of pyroute2."""
