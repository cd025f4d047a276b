"""`vnetlab kernel ...`: lab kernels in the user's cache directory, and the one that runs."""

from __future__ import annotations

from typing import Annotated

import typer

from vnetlab.cli.options import JsonOption

app = typer.Typer(
    no_args_is_help=True,
    help="Manage lab kernels: Linux as a program, for any topology.",
    rich_markup_mode=None,
)


def _complete_kernel(incomplete: str) -> list[str]:
    from vnetlab.realm.kernels.inventory import list_kernels

    return [k.name for k in list_kernels() if k.name.startswith(incomplete)]


@app.command()
def install() -> None:
    """Fetch Debian's prebuilt lab kernel: seconds, most features.

    \b
    vnetlab kernel install

    It goes to your cache directory, with the libc that it needs; nothing is installed on the
    system, and root is not needed.
    """
    from vnetlab.cli.progress import progress_bar
    from vnetlab.realm.kernels.prebuilt import install

    with progress_bar() as progress:
        kernel = install(progress)
    typer.echo(f"lab kernel {kernel.name} is ready; it has no {', '.join(kernel.missing)}")


@app.command()
def build() -> None:
    """Compile the full lab kernel: minutes, once, every feature.

    \b
    vnetlab kernel build

    Interrupted, it goes on where it was. Needs gcc and make.
    """
    from vnetlab.cli.progress import progress_bar
    from vnetlab.realm.kernels.build import build

    with progress_bar() as progress:
        kernel = build(progress)
    typer.echo(f"lab kernel {kernel.name} is ready; it has every feature")


@app.command("list")
def list_(*, json: JsonOption = False) -> None:
    """List the lab kernels that are there: the first one is used.

    \b
    vnetlab kernel list
    vnetlab kernel list --json
    """
    from vnetlab.realm.kernels.inventory import list_kernels

    kernels = list_kernels()
    if json:
        from vnetlab.views.json_text import to_json

        typer.echo(to_json(kernels))
        return
    for kernel in kernels:
        lacks = f"no {', '.join(kernel.missing)}" if kernel.missing else "every feature"
        typer.echo(f"{kernel.name}  {lacks}\n  {kernel.binary}")
    if not kernels:
        typer.echo("no lab kernel; 'vnetlab kernel install' fetches one in seconds", err=True)


@app.command()
def remove(
    name: Annotated[
        str, typer.Argument(metavar="NAME", show_default=False, autocompletion=_complete_kernel)
    ],
) -> None:
    """Delete a lab kernel from the cache directory.

    \b
    vnetlab kernel remove debian-7.2um1
    """
    from vnetlab.realm.kernels.inventory import remove

    typer.echo(f"lab kernel {remove(name).name} is removed")


@app.command()
def stop() -> None:
    """Stop the running lab kernel, with all labs in it.

    \b
    vnetlab kernel stop

    It stops by itself when its last lab goes down.
    """
    from vnetlab.realm.uml.lifecycle import stop

    typer.echo("the lab kernel is stopped" if stop() else "no lab kernel is running")
