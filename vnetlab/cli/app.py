"""The commands together, and what is common to all: errors as one message, an exit code."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vnetlab import __version__
from vnetlab.cli import (
    codes,
    doctor,
    down,
    exec_,
    explain,
    fault,
    kernel,
    link,
    logs,
    ls,
    matrix,
    new,
    plan,
    probe,
    restart,
    schema,
    shell,
    status,
    trace,
    up,
    validate,
    why,
)
from vnetlab.errors import TopologyError, VnetlabError
from vnetlab.kernel.node_mark import remember

_EPILOG = """\
\b
Exit codes: 0 done, 1 a probe was lost, 2 wrong usage or topology, 3 the kernel
refused, 4 the probe could not run, 5 a feature, tool or permission is missing.
"""


class Verbs(TyperGroup):
    """A group of commands in their order here, whose errors are messages and exit codes."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 # the base class's signature
        """The commands as they were registered, not by the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; turn our own exceptions into what the user reads."""
        remember()
        try:
            return super().invoke(ctx)
        except TopologyError as error:
            typer.echo(error, err=True)
            raise typer.Exit(error.exit_code) from None
        except VnetlabError as error:
            typer.echo(f"vnetlab: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo("vnetlab: interrupted", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"vnetlab {__version__}")
        raise typer.Exit


@app.callback()
def vnetlab(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Build virtualized networks from a file, and see what happens to a packet at every layer.

    \b
    vnetlab up topologies/two-hypervisors.yaml   build a lab
    vnetlab probe web1 web2                      send a packet, see it at every hop
    vnetlab why web1 web2                        say why it does not get there
    vnetlab exec web1 -- ip addr                 run a command in a VM
    vnetlab down                                 leave nothing behind
    """


for verb in (
    up,
    plan,
    down,
    ls,
    status,
    probe,
    why,
    explain,
    matrix,
    trace,
    codes,
    exec_,
    shell,
    logs,
    restart,
    new,
    validate,
    schema,
    doctor,
):
    verb.register(app)
app.add_typer(fault.app, name="fault")
app.add_typer(link.app, name="link")
app.add_typer(kernel.app, name="kernel")
