"""`vnetlab matrix`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vnetlab.cli.flow import (
    DEFAULT_PORT,
    Ipv4Option,
    Ipv6Option,
    PortOption,
    ProtoOption,
    SizeOption,
    ip_version,
    options_of,
    terminal,
)
from vnetlab.cli.options import JsonOption, LabOption
from vnetlab.trace.request import Protocol


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(matrix)


def matrix(
    lab: LabOption = None,
    sources: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NODES",
            help="Who sends: names with commas between, * and ? in them; else all VMs and hosts.",
            show_default=False,
        ),
    ] = None,
    destinations: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="NODES", help="Who answers, in the same way.", show_default=False
        ),
    ] = None,
    proto: ProtoOption = Protocol.ICMP,
    port: PortOption = DEFAULT_PORT,
    size: SizeOption = None,
    *,
    ipv4: Ipv4Option = False,
    ipv6: Ipv6Option = False,
    svg: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a picture (SVG).", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Probe all pairs of guests, and say what the failed ones share.

    \b
    vnetlab matrix
    vnetlab matrix --from 'web*' --to db1,db2 --proto tcp --port 5432
    vnetlab matrix --svg matrix.svg

    Exits with 1 if a pair fails.
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    version = ip_version(ipv4=ipv4, ipv6=ipv6)
    name = go_to_lab(lab)

    from vnetlab.matrix import probe_all
    from vnetlab.views.matrix_json import render_matrix_json
    from vnetlab.views.matrix_text import render_matrix

    options = options_of(proto, port, size, version)
    found = probe_all(
        name, labs_root(), options=options, sources=sources, destinations=destinations
    )
    if svg is not None:
        from vnetlab.views.matrix_svg import render_matrix_svg
        from vnetlab.wire.capture_file import write_capture

        picture = render_matrix_svg(found).encode()
        write_capture(svg, picture, what="picture", option="--svg")
    typer.echo(render_matrix_json(found) if json else render_matrix(found, terminal()))
    if not found.healthy:
        raise typer.Exit(1)
