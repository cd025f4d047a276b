"""`vnetlab new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vnetlab.errors import UsageError


def _option(metavar: str, text: str, least: int | None = None, most: int | None = None) -> Any:
    return typer.Option(metavar=metavar, help=text, show_default=False, min=least, max=most)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(new)


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    star: Annotated[
        int | None,
        _option("N", "Instead: N hypervisors with a VM each around one physical switch.", least=1),
    ] = None,
    leaf_spine: Annotated[
        tuple[int, int] | None,
        _option(
            "L S", "Instead: L leaf switches with a hypervisor each, linked to S spine switches."
        ),
    ] = None,
    vms: Annotated[
        int | None,
        _option("N", "With --leaf-spine: N VMs on the hypervisors. Default: two on each.", least=0),
    ] = None,
    fat_tree: Annotated[
        int | None,
        _option(
            "K",
            "Instead: a fat tree of K-port switches with K^3/4 bare-metal hosts.",
            least=2,
            most=16,
        ),
    ] = None,
) -> None:
    """Write a topology file to begin with, full of comments.

    \b
    vnetlab new lab.yaml
    vnetlab new star.yaml --star 20
    vnetlab new fabric.yaml --leaf-spine 4 2 --vms 16
    vnetlab new tree.yaml --fat-tree 4

    A file that is there already stays as it is.
    """
    text = _generate(str(file), star, leaf_spine, vms, fat_tree)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(f"{file} is there already", fix="give the new file another name") from None
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    typer.echo(f"wrote {file}; 'vnetlab up {file}' builds the lab")


def _generate(
    file: str,
    star: int | None,
    leaf_spine: tuple[int, int] | None,
    vms: int | None,
    fat_tree: int | None,
) -> str:
    """The text of the file. Raises UsageError if the options do not go together."""
    from vnetlab.topology import generators, starters

    if sum(shape is not None for shape in (star, leaf_spine, fat_tree)) > 1:
        raise UsageError("got several shapes", fix="give one of --star, --leaf-spine, --fat-tree")
    if vms is not None and leaf_spine is None:
        raise UsageError("--vms: got no --leaf-spine", fix="it is the number of VMs on its leaves")
    if leaf_spine is not None:
        leaves, spines = leaf_spine
        if min(leaf_spine) < 1:
            raise UsageError(f"--leaf-spine: got {leaves} {spines}, expected 1 or more of each")
        count = 2 * leaves if vms is None else vms
        return generators.leaf_spine(file, leaves=leaves, spines=spines, vms=count)
    if fat_tree is not None:
        if fat_tree % 2:
            raise UsageError(f"--fat-tree: got {fat_tree}, expected an even number")
        return generators.fat_tree(file, k=fat_tree)
    return starters.starter(file) if star is None else starters.star(file, star)
