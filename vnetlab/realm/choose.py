"""Which realm a lab goes to (pure)."""

from __future__ import annotations

from enum import Enum


class Realm(Enum):
    """Where a lab lives. AUTO: the first of the others that can hold the topology."""

    AUTO = "auto"
    HOST = "host"
    UML = "uml"
