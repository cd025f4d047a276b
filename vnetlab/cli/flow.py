"""The options that say which packet is meant: those of `probe`, `why` and `explain`."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vnetlab.trace.request import ECHO_PORT, Protocol

if TYPE_CHECKING:
    from vnetlab.lab import ProbeOptions
    from vnetlab.views.terminal import Terminal

ProtoOption = Annotated[
    Protocol,
    typer.Option(
        help="What is sent: an echo, a datagram, a SYN, or a question for the MAC address."
    ),
]
PortOption = Annotated[int, typer.Option(help="The destination's port, for udp and tcp.")]
SizeOption = Annotated[
    int | None, typer.Option(help="The IP packet's length in bytes.", show_default=False)
]
DscpOption = Annotated[int, typer.Option(help="The DSCP, 0-63.")]
TtlOption = Annotated[
    int | None, typer.Option(help="The TTL or hop limit, 1-255.", show_default=False)
]
DfOption = Annotated[
    bool | None,
    typer.Option("--df/--no-df", help="Never fragment it, or let anyone do.", show_default=False),
]
RawOption = Annotated[
    bool, typer.Option("--raw", help="Send a frame at the vNIC, past the guest's stack.")
]
VlanOption = Annotated[
    int | None, typer.Option(help="The frame's 802.1Q tag, with --raw.", show_default=False)
]
Ipv4Option = Annotated[bool, typer.Option("-4", help="Use IPv4.")]
Ipv6Option = Annotated[bool, typer.Option("-6", help="Use IPv6.")]
DEFAULT_PORT = ECHO_PORT


def ip_version(*, ipv4: bool, ipv6: bool) -> int | None:
    """4, 6, or None where either will do. Raises UsageError for both."""
    from vnetlab.errors import UsageError

    if ipv4 and ipv6:
        raise UsageError("got both -4 and -6, expected one of them at most")
    return 4 if ipv4 else 6 if ipv6 else None


def options_of(
    proto: Protocol,
    port: int,
    size: int | None,
    version: int | None,
    count: int = 1,
    *,
    dscp: int = 0,
    ttl: int | None = None,
    df: bool | None = None,
    raw: bool = False,
    vlan: int | None = None,
) -> ProbeOptions:
    """The packet that they describe."""
    from vnetlab.lab import ProbeOptions

    return ProbeOptions(
        protocol=proto,
        port=port,
        count=count,
        size=size,
        version=version,
        dscp=dscp,
        ttl=ttl,
        dont_fragment=df,
        raw=raw,
        vlan=vlan,
    )


def terminal() -> Terminal:
    """What standard output is."""
    from vnetlab.views.terminal import Terminal

    return Terminal(
        width=shutil.get_terminal_size((100, 24)).columns,
        color=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
        unicode=(sys.stdout.encoding or "").lower().startswith("utf"),
    )
