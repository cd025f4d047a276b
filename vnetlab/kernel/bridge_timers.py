"""EFFECT: the spanning tree's times that a bridge itself is set to.

Netlink tells those of the root, which the bridge goes by; what it would say if it were the root has
no place there, only in the older ioctl (net/bridge/br_ioctl.c; include/uapi/linux/if_bridge.h).
"""

from __future__ import annotations

import ctypes
import struct
import time
from fcntl import ioctl

from msgspec.structs import replace

from vnetlab.kernel.netlink import Channel
from vnetlab.state.switching import BridgeSettings

_SIOCDEVPRIVATE = 0x89F0
_BRCTL_GET_BRIDGE_INFO = 6
_IFREQ = struct.Struct("16sQ16x")
_BRIDGE_INFO = struct.Struct("=QQ7I4B6I")  # struct __bridge_info
_OWN_TIMES = slice(6, 9)
_CLOCK_MONOTONIC_COARSE = 6  # which Python's time module does not name


def with_own_times(settings: BridgeSettings, name: str, channel: Channel) -> BridgeSettings:
    """The settings of bridge `name`, with its own times where those that it goes by are the root's.

    They stay unknown on a kernel without the ioctl, which tells two of the three in jiffies.
    """
    if settings.hello_time_cs is not None:
        return settings
    info = ctypes.create_string_buffer(_BRIDGE_INFO.size)
    arguments = (ctypes.c_ulong * 4)(_BRCTL_GET_BRIDGE_INFO, ctypes.addressof(info))
    try:
        ioctl(channel, _SIOCDEVPRIVATE, _IFREQ.pack(name.encode(), ctypes.addressof(arguments)))
    except OSError:
        return settings
    max_age, hello_time, forward_delay = _BRIDGE_INFO.unpack(info.raw)[_OWN_TIMES]
    return replace(
        settings,
        hello_time_cs=_centiseconds(hello_time),
        max_age_cs=_centiseconds(max_age),
        forward_delay_cs=forward_delay,
    )


def _centiseconds(jiffies: int) -> int:
    """A jiffy is what the coarse clock goes on by: clock_getres(2), CLOCK_MONOTONIC_COARSE."""
    return round(jiffies * time.clock_getres(_CLOCK_MONOTONIC_COARSE) * 100)
