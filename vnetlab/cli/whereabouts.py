"""Where labs are, and how a command gets to them: it goes on here, or enters their realm.

To enter realm `rootless` is to go on in it; to enter the lab kernel is to run once more, whole, in
there, while the command here waits. In both "here" is that realm, and no other one is seen.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer
from msgspec import Struct

from vnetlab.errors import KernelRefusedError, UsageError
from vnetlab.realm.choose import INSIDE, Realm
from vnetlab.realm.rundir import run_dir
from vnetlab.topology.wording import did_you_mean


class Whereabouts(Struct, frozen=True, kw_only=True):
    """The realm of a lab that is up, and its nodes."""

    realm: Realm
    nodes: tuple[str, ...]


def here() -> Realm:
    """The realm that this process runs in."""
    return Realm(os.environ.get(INSIDE, Realm.HOST.value))


def labs_root() -> Path:
    """The directory of the labs in the realm that this process runs in."""
    return run_dir() / "labs"


def labs_here() -> dict[str, tuple[str, ...]]:
    """The labs that are up in the realm that this process runs in, and their nodes."""
    return _labs_in(labs_root())


def all_labs() -> dict[str, Whereabouts]:
    """Every lab that is up in some realm, by name."""
    found = {name: Whereabouts(realm=here(), nodes=nodes) for name, nodes in labs_here().items()}
    if here() is Realm.HOST:
        from vnetlab.realm.rootless.presence import labs_seen_from_outside
        from vnetlab.realm.uml.connection import running

        if root := labs_seen_from_outside():
            for name, nodes in _labs_in(root).items():
                found[name] = Whereabouts(realm=Realm.ROOTLESS, nodes=nodes)
        if kernel := running():
            for name, node_names in kernel.labs.items():
                found[name] = Whereabouts(realm=Realm.UML, nodes=tuple(node_names))
    return found


def go_to_lab(name: str | None, *, stdin: bool = False) -> str:
    """Return the lab's name when this process is in its realm, which it enters if need be.

    Without a name, the only lab that is up is meant. `stdin` says that the command reads its
    standard input. Raises UsageError if there is no such lab, or not one alone.
    """
    labs = all_labs()
    name = _the_only(labs) if name is None else name
    if name not in labs:
        tell_of_death()
        fix = did_you_mean(name, labs) or "'vnetlab up FILE' builds one"
        raise UsageError(f"no lab '{name}' is up", fix=fix)
    enter(labs[name].realm, stdin=stdin)
    return name


def enter(realm: Realm, *, stdin: bool = False) -> None:
    """Have the command go on in the realm of a lab that is up, if it is another one than here.

    It does not return from the lab kernel.
    """
    if realm is here():
        return
    if realm is Realm.UML:
        hand_over(stdin=stdin)
    from vnetlab.realm.rootless.entry import enter as join

    if not join():
        raise KernelRefusedError("the labs of realm rootless are just being taken down")


def tell_of_death() -> None:
    """Say on standard error that labs are gone because the keeper or the lab kernel died."""
    if here() is not Realm.HOST:
        return
    from vnetlab.realm.uml.lifecycle import last_death

    tell_of_keeper_death()

    if lines := last_death():
        said = "\n".join(f"  {line}" for line in lines)
        typer.echo(f"the lab kernel died, and its labs with it; its last words:\n{said}", err=True)


def tell_of_keeper_death() -> None:
    """Say so if the keeper of realm `rootless` was killed, and clear what it left: say it once."""
    from vnetlab.realm.rootless.presence import clear_after_death

    if clear_after_death():
        typer.echo("the keeper of realm rootless was killed, and its labs with it", err=True)


def hand_over(*, stdin: bool = False) -> None:
    """Run this very command line in the lab kernel, which is running, and exit with its code."""
    from vnetlab.realm.uml.client import run_in_lab_kernel

    raise typer.Exit(run_in_lab_kernel(sys.argv[1:], stdin=stdin))


def _labs_in(root: Path) -> dict[str, tuple[str, ...]]:
    from vnetlab.kernel.labdir import LabDir, list_labs

    return {name: LabDir(root, name).nodes() for name in list_labs(root)}


def _the_only(labs: dict[str, Whereabouts]) -> str:
    if not labs:
        tell_of_death()
        raise UsageError("no lab is up", fix="'vnetlab up FILE' builds one")
    if len(labs) > 1:
        raise UsageError(
            f"several labs are up: {', '.join(labs)}", fix="say which one: LAB or --lab LAB"
        )
    return next(iter(labs))
