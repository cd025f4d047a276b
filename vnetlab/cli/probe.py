"""`vnetlab probe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vnetlab.cli.flow import (
    DEFAULT_PORT,
    DfOption,
    DscpOption,
    Ipv4Option,
    Ipv6Option,
    PortOption,
    ProtoOption,
    RawOption,
    SizeOption,
    TtlOption,
    VlanOption,
    ip_version,
    options_of,
    terminal,
)
from vnetlab.cli.options import DestinationArgument, JsonOption, LabOption, SourceArgument
from vnetlab.cli.waiting import say_that_it_waits
from vnetlab.trace.request import Protocol


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(probe)


def probe(
    source: SourceArgument,
    destination: DestinationArgument,
    lab: LabOption = None,
    proto: ProtoOption = Protocol.ICMP,
    port: PortOption = DEFAULT_PORT,
    count: Annotated[int, typer.Option(help="How many packets; the table then shows medians.")] = 1,
    size: SizeOption = None,
    dscp: DscpOption = 0,
    ttl: TtlOption = None,
    vlan: VlanOption = None,
    *,
    df: DfOption = None,
    raw: RawOption = False,
    ipv4: Ipv4Option = False,
    ipv6: Ipv6Option = False,
    pcap: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a pcapng file.", show_default=False),
    ] = None,
    verify_fix: Annotated[
        bool,
        typer.Option("--verify-fix", help="Try the fix in a copy of the lab, and probe there."),
    ] = False,
    apply_fix: Annotated[
        bool,
        typer.Option("--apply-fix", help="Apply the fix to the lab if it helped in the copy."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Send a real packet, show it at every hop, say why it was lost.

    \b
    vnetlab probe web1 web2
    vnetlab probe web1 db1 --proto tcp --port 5432
    vnetlab probe web1 web2 --count 100 --pcap probe.pcapng
    vnetlab probe web1 web2 --verify-fix

    Exits with 1 if a packet was lost, or something else is wrong.
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    version = ip_version(ipv4=ipv4, ipv6=ipv6)
    name = go_to_lab(lab)

    from vnetlab.investigation import investigate, mend, verify
    from vnetlab.views.probe_json import render_probe_json
    from vnetlab.views.probe_text import render_probe

    options = options_of(
        proto,
        port,
        size,
        version,
        count,
        dscp=dscp,
        ttl=ttl,
        df=df,
        raw=raw,
        vlan=vlan,
    )
    waiting = say_that_it_waits(name)
    found = investigate(name, source, destination, labs_root(), options=options, waiting=waiting)
    if verify_fix or apply_fix:
        found = verify(name, found, labs_root(), options=options, waiting=waiting)
    if pcap is not None:
        from vnetlab.views.probe_pcapng import render_pcapng
        from vnetlab.wire.capture_file import write_capture

        write_capture(pcap, render_pcapng(found.trace))
    if json:
        typer.echo(render_probe_json(found.trace, found.verdict, found.segments))
    else:
        typer.echo(render_probe(found.trace, found.verdict, terminal(), found.segments))
    if apply_fix and found.verdict.is_confirmed:
        from vnetlab.state.show import describe_change

        for change in mend(name, found.verdict, labs_root(), waiting=waiting).changes:
            typer.echo(f"applied: {describe_change(change)}", err=True)
    if not found.verdict.healthy:
        raise typer.Exit(1)
