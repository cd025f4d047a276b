"""EFFECT: the spanning tree's times that a bridge itself is set to.

Netlink tells those of the root, which the bridge goes by; what it would say if it were the root has
no place there, only in the older ioctl (net/bridge/br_ioctl.c; include/uapi/linux/if_bridge.h).
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import replace
from fcntl import ioctl

from vnetlab.kernel.netlink import Channel
from vnetlab.state.switching import BridgeSettings

_SIOCDEVPRIVATE = 0x89F0
_BRCTL_GET_BRIDGE_INFO = 6
_IFREQ = struct.Struct("16sQ16x")
_BRIDGE_INFO = struct.Struct("=QQ7I4B6I")  # struct __bridge_info
_OWN_TIMES = slice(6, 9)


def with_own_times(settings: BridgeSettings, name: str, channel: Channel) -> BridgeSettings:
    """The settings of bridge `name`, with its own times where those that it goes by are the root's.

    They stay unknown on a kernel without the ioctl.
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
        hello_time_cs=hello_time,
        max_age_cs=max_age,
        forward_delay_cs=forward_delay,
    )
