"""`vnetlab explain`."""

from __future__ import annotations

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
from vnetlab.trace.request import Protocol


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    source: SourceArgument,
    destination: DestinationArgument,
    lab: LabOption = None,
    proto: ProtoOption = Protocol.ICMP,
    port: PortOption = DEFAULT_PORT,
    size: SizeOption = None,
    dscp: DscpOption = 0,
    ttl: TtlOption = None,
    vlan: VlanOption = None,
    *,
    df: DfOption = None,
    raw: RawOption = False,
    ipv4: Ipv4Option = False,
    ipv6: Ipv6Option = False,
    json: JsonOption = False,
) -> None:
    """Say what the kernel would do with a packet, and send none.

    \b
    vnetlab explain web1 db1
    vnetlab explain web1 db1 --proto tcp --port 5432 --size 1500

    Exits with 1 if it would be dropped.
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    version = ip_version(ipv4=ipv4, ipv6=ipv6)
    name = go_to_lab(lab)

    from vnetlab import investigation
    from vnetlab.views.explanation_json import render_explanation_json
    from vnetlab.views.verdict_text import render_explanation

    options = options_of(
        proto,
        port,
        size,
        version,
        dscp=dscp,
        ttl=ttl,
        df=df,
        raw=raw,
        vlan=vlan,
    )
    found = investigation.explain(name, source, destination, labs_root(), options=options)
    typer.echo(render_explanation_json(found) if json else render_explanation(found, terminal()))
    if not found.passes:
        raise typer.Exit(1)
