"""What a router with `external` is given (pure)."""

from ipaddress import IPv4Network

POOL = IPv4Network("198.18.0.0/15")
"""Where a router's and its host's addresses are from: nobody's on the Internet (RFC 2544)."""

PREFIX_LENGTH = 30

EXTERNAL_LINK = "ext0"
"""The router's link to the host."""
