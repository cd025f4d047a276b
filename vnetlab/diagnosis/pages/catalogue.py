"""Every reason's page (pure)."""

from __future__ import annotations

from types import MappingProxyType

from vnetlab.diagnosis.pages.addresses import ADDRESSES
from vnetlab.diagnosis.pages.bridges import BRIDGES
from vnetlab.diagnosis.pages.firewalls import FIREWALLS
from vnetlab.diagnosis.pages.links import LINKS
from vnetlab.diagnosis.pages.queues import QUEUES
from vnetlab.diagnosis.pages.routes import ROUTES
from vnetlab.diagnosis.pages.tunnels import TUNNELS
from vnetlab.diagnosis.pages.vlans import VLANS

CHAPTERS = (
    ("Interfaces and cables", LINKS),
    ("VLANs and the spanning tree", VLANS),
    ("Switches and their ports", BRIDGES),
    ("Bonds and tunnels", TUNNELS),
    ("Traffic control", QUEUES),
    ("Addresses and neighbours", ADDRESSES),
    ("Routes and settings", ROUTES),
    ("Firewalls, NAT and applications", FIREWALLS),
)
"""The pages in the order in which a reader meets them, by the titles of their chapters."""

PAGES = MappingProxyType({reason: page for _, pages in CHAPTERS for reason, page in pages.items()})
"""The page of each reason."""
