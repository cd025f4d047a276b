"""`vnetlab why`."""

from __future__ import annotations

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
from vnetlab.trace.request import Protocol


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(why)


def why(
    source: SourceArgument,
    destination: DestinationArgument,
    lab: LabOption = None,
    proto: ProtoOption = Protocol.ICMP,
    port: PortOption = DEFAULT_PORT,
    count: Annotated[int, typer.Option(help="How many packets.")] = 3,
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
    """Say why a packet does not get there: a probe's verdict alone.

    \b
    vnetlab why web1 web2
    vnetlab why web1 db1 --proto tcp --port 5432

    Without --size it sends small packets and, if they get through, some as large as the source's
    MTU. Exits with 1 if something is wrong.
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    version = ip_version(ipv4=ipv4, ipv6=ipv6)
    name = go_to_lab(lab)

    from vnetlab.investigation import investigate_sizes
    from vnetlab.views.json_text import to_json
    from vnetlab.views.verdict_text import render_why

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
    verdict = investigate_sizes(name, source, destination, labs_root(), options=options).verdict
    typer.echo(to_json(verdict) if json else render_why(verdict, terminal()))
    if not verdict.healthy:
        raise typer.Exit(1)
