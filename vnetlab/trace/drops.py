"""A packet that the kernel dropped, as it reports it itself (pure)."""

from __future__ import annotations

from msgspec import Struct


class Drop(Struct, frozen=True, kw_only=True):
    """A report of the kernel's drop monitor: include/uapi/linux/net_dropmon.h.

    `symbol` is the place in the kernel's code (`br_handle_frame_finish+0x4c/0x460 [bridge]`),
    `reason` the word of `enum skb_drop_reason` (`NOT_SPECIFIED`; empty before Linux 6.0). `index`
    is the ifindex of the link that the packet came in by, 0 if none, which may be that of several
    namespaces. `time_ns` since the epoch; `payload` is the packet from its Ethernet header on,
    where it has one.
    """

    symbol: str
    reason: str
    index: int
    time_ns: int
    payload: bytes

    @property
    def function(self) -> str:
        """The kernel's function alone."""
        return self.symbol.partition("+")[0]
