"""Which realm a lab goes to (pure)."""

from __future__ import annotations

from enum import Enum

INSIDE = "VNETLAB_INSIDE"
"""The environment variable that names the realm in which a process runs, but for HOST."""


class Realm(Enum):
    """Where a lab lives. AUTO: the first of the others that can hold the topology."""

    AUTO = "auto"
    HOST = "host"
    ROOTLESS = "rootless"
    UML = "uml"
