"""Where labs are, and how a command gets to them: run here, or handed over to the lab kernel.

A command that is handed over runs once more, whole, inside the lab kernel: there, "here" is the
lab kernel, and every lab that it sees is at hand.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from vnetlab.errors import UsageError
from vnetlab.realm.choose import Realm
from vnetlab.realm.rundir import run_dir
from vnetlab.topology.wording import did_you_mean

_INSIDE = "VNETLAB_INSIDE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """The realm of a lab that is up, and its nodes."""

    realm: Realm
    nodes: tuple[str, ...]


def inside_lab_kernel() -> bool:
    """Whether this process runs in a lab kernel itself."""
    return _INSIDE in os.environ


def labs_root() -> Path:
    """The directory of the labs in the kernel that this process runs on."""
    return run_dir() / "labs"


def labs_here() -> dict[str, tuple[str, ...]]:
    """The labs that are up in the kernel that this process runs on, and their nodes."""
    from vnetlab.kernel.labdir import LabDir, list_labs

    root = labs_root()
    return {name: LabDir(root, name).nodes() for name in list_labs(root)}


def all_labs() -> dict[str, Whereabouts]:
    """Every lab that is up in some realm, by name."""
    here = Realm.UML if inside_lab_kernel() else Realm.HOST
    found = {name: Whereabouts(realm=here, nodes=nodes) for name, nodes in labs_here().items()}
    if not inside_lab_kernel():
        from vnetlab.realm.uml.connection import running

        if kernel := running():
            for name, node_names in kernel.labs.items():
                found[name] = Whereabouts(realm=Realm.UML, nodes=tuple(node_names))
    return found


def go_to_lab(name: str | None, *, stdin: bool = False) -> str:
    """Return the lab's name if it is in this kernel; hand the command over if it is not.

    Without a name, the only lab that is up is meant. `stdin` says that the command reads its
    standard input. Raises UsageError if there is no such lab, or not one alone.
    """
    labs = all_labs()
    name = _the_only(labs) if name is None else name
    if name not in labs:
        tell_of_death()
        fix = did_you_mean(name, labs) or "'vnetlab up FILE' builds one"
        raise UsageError(f"no lab '{name}' is up", fix=fix)
    if labs[name].realm is Realm.UML and not inside_lab_kernel():
        hand_over(stdin=stdin)
    return name


def tell_of_death() -> None:
    """Say on standard error that the lab kernel died, if the last one did."""
    if inside_lab_kernel():
        return
    from vnetlab.realm.uml.lifecycle import last_death

    if lines := last_death():
        said = "\n".join(f"  {line}" for line in lines)
        typer.echo(f"the lab kernel died, and its labs with it; its last words:\n{said}", err=True)


def hand_over(*, stdin: bool = False) -> None:
    """Run this very command line in the lab kernel, which is running, and exit with its code."""
    from vnetlab.realm.uml.client import run_in_lab_kernel

    raise typer.Exit(run_in_lab_kernel(sys.argv[1:], stdin=stdin))


def _the_only(labs: dict[str, Whereabouts]) -> str:
    if not labs:
        tell_of_death()
        raise UsageError("no lab is up", fix="'vnetlab up FILE' builds one")
    if len(labs) > 1:
        raise UsageError(
            f"several labs are up: {', '.join(labs)}", fix="say which one: LAB or --lab LAB"
        )
    return next(iter(labs))
