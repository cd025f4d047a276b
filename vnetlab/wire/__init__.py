"""EFFECT: packets made, sent and seen; the only importer of scapy."""
