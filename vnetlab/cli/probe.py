"""`vnetlab probe`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vnetlab.cli.options import DestinationArgument, JsonOption, LabOption, SourceArgument
from vnetlab.trace.request import ECHO_PORT, Protocol

if TYPE_CHECKING:
    from vnetlab.views.probe_text import Terminal


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(probe)


def probe(
    source: SourceArgument,
    destination: DestinationArgument,
    lab: LabOption = None,
    proto: Annotated[
        Protocol, typer.Option(help="What is sent: an echo, a datagram, or a SYN.")
    ] = Protocol.ICMP,
    port: Annotated[int, typer.Option(help="The destination's port, for udp and tcp.")] = ECHO_PORT,
    count: Annotated[int, typer.Option(help="How many packets; the table then shows medians.")] = 1,
    size: Annotated[
        int | None, typer.Option(help="The IP packet's length in bytes.", show_default=False)
    ] = None,
    *,
    ipv4: Annotated[bool, typer.Option("-4", help="Use IPv4.")] = False,
    ipv6: Annotated[bool, typer.Option("-6", help="Use IPv6.")] = False,
    pcap: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a pcapng file.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Send a real packet and show it at every hop, there and back.

    \b
    vnetlab probe web1 web2
    vnetlab probe web1 db1 --proto tcp --port 5432
    vnetlab probe web1 web2 --count 100 --pcap probe.pcapng

    Exits with 1 if a packet was lost.
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root
    from vnetlab.errors import UsageError

    if ipv4 and ipv6:
        raise UsageError("got both -4 and -6, expected one of them at most")
    name = go_to_lab(lab)

    from vnetlab import lab as verbs
    from vnetlab.diagnosis.locate import locate
    from vnetlab.views.probe_json import render_probe_json
    from vnetlab.views.probe_text import render_probe

    version = 4 if ipv4 else 6 if ipv6 else None
    options = verbs.ProbeOptions(protocol=proto, port=port, count=count, size=size, version=version)
    trace = verbs.probe(name, source, destination, labs_root(), options=options)
    if pcap is not None:
        from vnetlab.views.probe_pcapng import render_pcapng
        from vnetlab.wire.capture_file import write_capture

        write_capture(pcap, render_pcapng(trace))
    verdict = locate(trace)
    if json:
        typer.echo(render_probe_json(trace, verdict))
    else:
        typer.echo(render_probe(trace, verdict, _terminal()))
    if trace.replied < len(trace.packets):
        raise typer.Exit(1)


def _terminal() -> Terminal:
    from vnetlab.views.probe_text import Terminal

    return Terminal(
        width=shutil.get_terminal_size((100, 24)).columns,
        color=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
        unicode=(sys.stdout.encoding or "").lower().startswith("utf"),
    )
