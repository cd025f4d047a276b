"""`vnetlab link ...`: the links of a running lab."""

from __future__ import annotations

import json as json_module
import os
import subprocess
import sys
from typing import Annotated

import typer

from vnetlab.cli.options import JsonOption, LabArgument, LabOption

app = typer.Typer(
    no_args_is_help=True,
    help="Set a lab's links down and up, as if somebody pulled a cable.",
    rich_markup_mode=None,
)

_COMPLETING = "_VNETLAB_COMPLETE"
"""Where the shell says that it wants completions and no command."""


def _complete_link(context: typer.Context, incomplete: str) -> list[str]:
    """The links of the lab, asked for by a command, which finds the kernel that it lives in."""
    lab = [context.params["lab"]] if context.params.get("lab") else []
    command = [sys.executable, "-m", "vnetlab", "link", "list", *lab, "--json"]
    environment = {key: os.environ[key] for key in os.environ if key != _COMPLETING}
    asked = subprocess.run(  # noqa: S603 # vnetlab itself
        command, env=environment, capture_output=True, text=True, check=False
    )
    if asked.returncode:
        return []
    return [
        row["name"] for row in json_module.loads(asked.stdout) if row["name"].startswith(incomplete)
    ]


LinkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NODE.LINK",
        help="A vNIC, a pNIC, a port of a switch... 'vnetlab link list' has all.",
        show_default=False,
        autocompletion=_complete_link,
    ),
]


@app.command()
def down(link: LinkArgument, lab: LabOption = None) -> None:
    """Set a link down.

    \b
    vnetlab link down web1.eth0
    vnetlab link down hv1.eno1
    vnetlab link down tor1.hv1.eno1

    'status' shows it, 'link up' and 'up' bring it back.
    """
    _set(link, lab, up=False)


@app.command()
def up(link: LinkArgument, lab: LabOption = None) -> None:
    """Set a link up again, with the addresses and routes it lost.

    \b
    vnetlab link up web1.eth0
    """
    _set(link, lab, up=True)


@app.command("list")
def list_(lab: LabArgument = None, *, json: JsonOption = False) -> None:
    """List a lab's links, and whether they are up.

    \b
    vnetlab link list
    vnetlab link list two-hypervisors --json
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab)

    import vnetlab.lab
    from vnetlab.views.json_text import to_json
    from vnetlab.views.links import render_links

    links = vnetlab.lab.links(name, labs_root())
    rows = [{"name": key, "role": it.role, "up": it.up} for key, it in links.items()]
    typer.echo(to_json(rows) if json else render_links(links))


def _set(link: str, lab: str | None, *, up: bool) -> None:
    from vnetlab.cli.waiting import say_that_it_waits
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab)

    import vnetlab.lab

    done = vnetlab.lab.set_link(name, link, labs_root(), up=up, waiting=say_that_it_waits(name))
    state = "up" if up else "down"
    typer.echo(f"{link} is {state}" if done.changes else f"{link} is {state} already")
