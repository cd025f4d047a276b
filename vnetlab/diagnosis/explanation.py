"""What the model says of a flow for which nothing was sent (pure)."""

from __future__ import annotations

from msgspec import Struct

from vnetlab.diagnosis.verdict import Cause
from vnetlab.trace.forwarding.walk import Walk
from vnetlab.trace.request import ProbeRequest


class Explanation(Struct, frozen=True, kw_only=True):
    """The way of a packet and of its answer by the kernel's tables as they are now.

    `back` is None where the packet does not arrive in any case. `causes` say why it would be lost,
    `labels` how links are called in the topology, by namespace and name.
    """

    request: ProbeRequest
    forward: Walk
    back: Walk | None
    causes: tuple[Cause, ...]
    labels: dict[tuple[str, str], str]

    @property
    def passes(self) -> bool:
        """Whether the packet gets there, and its answer back."""
        return self.forward.passes and self.back is not None and self.back.passes
