"""`vnetlab codes`."""

from __future__ import annotations

from typing import Annotated

import typer

from vnetlab.cli.flow import terminal
from vnetlab.cli.options import JsonOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(codes)


def codes(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE", help="Tell all about this one: vswitch.no-pvid.", show_default=False
        ),
    ] = None,
    *,
    json: JsonOption = False,
) -> None:
    """List the codes of verdicts, or tell all about one.

    What it is, where it happens, how to see it by hand and how to mend it:

    \b
    vnetlab codes
    vnetlab codes vswitch.vlan-not-allowed
    """
    from vnetlab.diagnosis.pages.lookup import find_code, list_codes
    from vnetlab.views.codes import render_codes, render_page
    from vnetlab.views.json_text import to_json

    if code is None:
        entries = list_codes()
        rows = [{"code": it.code, "layer": it.layer, "phrase": it.page.phrase} for it in entries]
        typer.echo(to_json(rows) if json else render_codes(entries))
        return
    entry = find_code(code)
    typer.echo(to_json(entry) if json else render_page(entry, terminal()))
