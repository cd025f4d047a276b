"""What links are called in the model's rows (pure)."""

from __future__ import annotations

from vnetlab.state.objects import Link


def name_of(link: Link) -> str:
    """Its label, `tor1.hv1.eno1`; where it has none of its own, namespace and name."""
    return link.label if "." in link.label else str(link.id)
