"""EFFECT: the groups of layer 2 that links have joined: netdevice(7), SIOCDELMULTI."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from fcntl import ioctl

from vnetlab.state.overlays import FdbEntry

_SIOCDELMULTI = 0x8932
_IFREQ = struct.Struct("=16sH14s8x")  # struct ifreq with a struct sockaddr, of family 0


def leave_group(entry: FdbEntry) -> None:
    """Take the MAC of `entry` from the groups of its link, in the present namespace, if it is one.

    `ip maddr add` lets any MAC be a group, and RTM_DELNEIGH takes only those with the group bit.
    """
    mac = bytes.fromhex(entry.mac.replace(":", ""))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, suppress(OSError):
        ioctl(asking, _SIOCDELMULTI, _IFREQ.pack(entry.link.encode(), 0, mac))
