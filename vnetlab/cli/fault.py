"""`vnetlab fault ...`: everything that can go wrong, made to go wrong, and how well it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vnetlab.cli.options import JsonOption, LabOption, RealmOption
from vnetlab.cli.waiting import say_that_it_waits
from vnetlab.realm.choose import Realm

app = typer.Typer(
    no_args_is_help=True,
    help="Make faults in a lab, and see how well a probe tells them.",
    rich_markup_mode=None,
)

KindArgument = Annotated[
    str, typer.Argument(metavar="KIND", help="'vnetlab fault list' has all.", show_default=False)
]
PlaceArgument = Annotated[
    str,
    typer.Argument(metavar="PLACE", help="The object, by its name.", show_default=False),
]


@app.command("list")
def list_(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help="Show where in the lab it can be.", show_default=False),
    ] = None,
    lab: LabOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """List the kinds of faults, or the places in a running lab where one of them can be.

    \b
    vnetlab fault list
    vnetlab fault list pnic-down
    """
    from vnetlab.faults.catalogue import CATALOGUE, find_fault
    from vnetlab.views.faults import render_catalogue
    from vnetlab.views.json_text import to_json

    if kind is None:
        rows = [
            {"kind": it.kind, "code": it.code, "layer": it.layer, "title": it.title}
            for it in CATALOGUE.values()
        ]
        typer.echo(to_json(rows) if json else render_catalogue(CATALOGUE.values()))
        return
    find_fault(kind)

    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab)

    from vnetlab import faulting

    places = faulting.places(name, kind, labs_root(), waiting=say_that_it_waits(name))
    typer.echo(to_json(places) if json else "\n".join(places) or "nowhere in this lab")


@app.command()
def inject(kind: KindArgument, place: PlaceArgument, lab: LabOption = None) -> None:
    """Make a fault in a running lab.

    \b
    vnetlab fault inject pnic-down hv1.eno1
    vnetlab fault inject router-forwarding-off gw

    'vnetlab fault clear' and 'vnetlab up' take it away again.
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab)

    from vnetlab import faulting
    from vnetlab.state.show import describe_change

    done = faulting.inject(name, kind, place, labs_root(), waiting=say_that_it_waits(name))
    for change in done.changes:
        typer.echo(describe_change(change))


@app.command()
def clear(lab: LabOption = None) -> None:
    """Make a lab again what its topology says.

    \b
    vnetlab fault clear
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab)

    from vnetlab import lab as verbs
    from vnetlab.state.show import describe_change

    done = verbs.repair(name, labs_root(), waiting=say_that_it_waits(name))
    for change in done.changes:
        typer.echo(describe_change(change))
    if not done.changes:
        typer.echo("nothing to clear")


@app.command()
def score(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Topologies.")],
    realm: RealmOption = Realm.AUTO,
    seed: Annotated[int, typer.Option(help="The same seed takes the same sample.")] = 0,
    per_kind: Annotated[
        int, typer.Option(help="How many places of each kind in each lab; 0 for all.")
    ] = 1,
    kinds: Annotated[
        int, typer.Option(help="How many kinds in each lab, drawn by the seed; 0 for all.")
    ] = 0,
    pairs: Annotated[int, typer.Option(help="How many pairs of faults in each lab.")] = 0,
    healthy: Annotated[int, typer.Option(help="How many probes of each healthy lab.")] = 5,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Only this kind; repeatable.", show_default=False),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep each result in this file, and leave out those that it has already.",
            show_default=False,
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the confusion matrix as SVG.", show_default=False),
    ] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Make each kind of fault in a copy of each topology, probe, and compare verdict and truth.

    \b
    vnetlab fault score topologies/two-hypervisors.yaml
    vnetlab fault score topologies/*.yaml --healthy 40 --pairs 5 --results score.jsonl

    Exits with 1 if a verdict accused something wrong.
    """
    from vnetlab.cli.boot import go_to_realm
    from vnetlab.cli.topology_file import load_topology
    from vnetlab.cli.whereabouts import labs_root
    from vnetlab.faults.catalogue import find_fault
    from vnetlab.faults.score import Mark, copy_to_score, tabulate

    for name in kind or ():
        find_fault(name)
    topologies = [copy_to_score(load_topology(file, None, None)[0]) for file in files]
    for topology in topologies:
        go_to_realm(topology, realm)

    from vnetlab import faulting
    from vnetlab.faults.store import ResultFile
    from vnetlab.views.faults import render_result, render_score
    from vnetlab.views.json_text import to_json
    from vnetlab.views.score_svg import render_confusion

    sample = faulting.Sample(
        seed=seed,
        per_kind=per_kind or None,
        pairs=pairs,
        healthy=healthy,
        kinds=tuple(kind or ()),
        drawn=kinds or None,
    )
    kept = ResultFile(results)
    for topology in topologies:
        for result in faulting.score(topology, labs_root(), sample, done=tuple(kept.results)):
            kept.add(result)
            typer.echo(render_result(result), err=True)
    if picture is not None:
        picture.write_text(render_confusion(kept.results))
    typer.echo(to_json(kept.results) if json else render_score(tabulate(kept.results)))
    if any(result.mark is Mark.WRONG for result in kept.results if result.effective):
        raise typer.Exit(1)
