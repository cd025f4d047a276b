"""`vnetlab up`."""

from __future__ import annotations

import time

import typer

from vnetlab.cli.options import FileArgument, RealmOption, SetOption, VarsOption
from vnetlab.cli.waiting import say_that_it_waits
from vnetlab.realm.choose import Realm


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up(
    file: FileArgument,
    set_: SetOption = None,
    vars_: VarsOption = None,
    realm: RealmOption = Realm.AUTO,
) -> None:
    """Build the lab of FILE, or change a running one into it.

    \b
    vnetlab up topologies/two-hypervisors.yaml
    vnetlab up lab.yaml --set vms=20
    vnetlab up lab.yaml --realm uml

    Run it again after an edit: only what differs is touched. Interrupted or failed, a new lab is
    taken away again.
    """
    from vnetlab.cli.boot import go_to_realm
    from vnetlab.cli.topology_file import load_topology, tell
    from vnetlab.cli.whereabouts import labs_root

    topology, warnings = load_topology(file, set_, vars_)
    realm_taken = go_to_realm(topology, realm)
    tell(warnings)

    from vnetlab import lab
    from vnetlab.views.plan import render_up

    started = time.monotonic()
    done = lab.up(topology, labs_root(), waiting=say_that_it_waits(topology.name))
    if realm_taken:
        typer.echo(realm_taken, err=True)
    typer.echo(render_up(topology, done, seconds=time.monotonic() - started))
