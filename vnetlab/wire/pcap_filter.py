"""The user's filter, in the syntax of pcap-filter(7) (effect: imports cypcap, with its libpcap).

It is asked in this process, not in the kernel: there it would miss what address translation has
changed, and see no VLAN tag, which the kernel keeps beside the packet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from vnetlab.errors import MissingFeatureError, UsageError

Filter: TypeAlias = Callable[[bytes, int], bool]
"""Whether an Ethernet frame is meant: its first bytes, VLAN tag in place, and its whole length."""

_LONGEST_BYTES = 65535 + 18
_TAGS = (b"\x81\x00", b"\x88\xa8")


def compile_filter(text: str) -> Filter:
    """Compile a filter; an empty one means every frame.

    It is asked of a tagged frame as it is, and without its tag: `tcp` means what `vlan and tcp`
    does, too. Raises UsageError for what is no filter, MissingFeatureError without libpcap.
    """
    try:
        import cypcap
    except ImportError as error:
        raise MissingFeatureError(
            "trace: this Python has no libpcap, which reads the filter",
            fix="install the package cypcap, which brings it: pip install cypcap",
        ) from error
    try:
        program = cypcap.compile(
            cypcap.DatalinkType.EN10MB, _LONGEST_BYTES, text, True, cypcap.NETMASK_UNKNOWN
        )
    except cypcap.Error as error:
        raise UsageError(
            f"trace: got the filter '{text}', expected one as tcpdump takes it: {error.args[-1]}",
            fix="for example: trace icmp and host 10.0.0.1; pcap-filter(7) has them all",
        ) from error

    def is_meant(frame: bytes, length: int) -> bool:
        if program.offline_filter(cypcap.Pkthdr(0, len(frame), length), frame):
            return True
        if frame[12:14] not in _TAGS:
            return False
        bare = frame[:12] + frame[16:]
        return bool(program.offline_filter(cypcap.Pkthdr(0, len(bare), length - 4), bare))

    return is_meant
