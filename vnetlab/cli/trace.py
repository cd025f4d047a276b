"""`vnetlab trace`."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from vnetlab.cli.flow import terminal
from vnetlab.cli.options import JsonOption, LabOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(trace)


def trace(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILTER]",
            help="Which packets, as for tcpdump: pcap-filter(7). All, if there is none.",
            show_default=False,
        ),
    ] = None,
    lab: LabOption = None,
    json: JsonOption = False,
) -> None:
    """Follow the real traffic of a lab hop by hop, until Ctrl-C.

    \b
    vnetlab trace icmp
    vnetlab trace tcp port 5432 and host 10.10.0.5
    vnetlab trace 'udp and not port 53' --json

    The first packet of each flow is shown at every hop, and so is one for each place where packets
    of it vanish, with the verdict on it; all others are counted. A summary ends it. A packet is
    meant if the filter matches it at any hop. Exits with 1 if a packet was lost.
    """
    text = " ".join(words or [])

    from vnetlab.wire.pcap_filter import compile_filter

    is_meant = compile_filter(text)

    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab)

    from vnetlab.diagnosis.followed import Summary
    from vnetlab.following import follow
    from vnetlab.views.follow_json import render_summary_json, render_told_json
    from vnetlab.views.follow_text import render_summary, render_told

    over = _until_interrupted()
    summary = Summary()

    def announce(nodes: int) -> None:
        what = f"'{text}'" if text else "all traffic"
        typer.echo(f"following {what} in lab {name}, {nodes} nodes; Ctrl-C ends it", err=True)

    packets = follow(
        name, is_meant, labs_root(), summary, is_over=lambda: bool(over), ready=announce
    )
    for told in packets:
        typer.echo(render_told_json(told) if json else render_told(told, terminal()))
    if json:
        for line in render_summary_json(summary):
            typer.echo(line)
    elif summary.flows:
        typer.echo(render_summary(summary, terminal()))
    if summary.lab_is_gone:
        typer.echo(f"vnetlab: lab {name} was taken down", err=True)
    if not summary.flows:
        typer.echo(f"no packet {f'matched {text!r}' if text else 'was sent'}", err=True)
    if summary.bad:
        raise typer.Exit(1)


def _until_interrupted() -> list[int]:
    """A list that the first Ctrl-C or SIGTERM puts something into; a second one ends at once."""
    over: list[int] = []

    def end(number: int, _: object) -> None:
        over.append(number)
        for both in (signal.SIGINT, signal.SIGTERM):
            signal.signal(both, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return over
