"""What a user writes of the processes on a node: services, and limits of all of them (pure)."""

from typing import Annotated

from pydantic import ConfigDict, Field

from vnetlab.topology.forms import ShortForm, Text
from vnetlab.topology.forms_running import COMMAND, Command, Cpu, Memory
from vnetlab.topology.part import Part


class Service(Part):
    """A command that `up` starts on the node, in the background. Short form: its `command`.

    It runs as with `vnetlab exec`, by `sh`, in the directory of the topology file. `vnetlab logs`
    prints what it wrote, `vnetlab status` says whether it runs. One that failed is started again
    by the next `up`; one that ended well is not.
    """

    model_config = ConfigDict(title="service")

    name: Text | None = Field(
        default=None, description="Name. Default: that of the program, numbered if need be."
    )
    command: Command | None = Field(default=None, description="What to run; needed.")


class Limits(Part):
    """What all processes of a node may take together (cgroup v2), those of `exec` too."""

    model_config = ConfigDict(title="limits")

    cpu: Cpu | None = Field(default=None, description="Computing time. Default: not limited.")
    memory: Memory | None = Field(default=None, description="Memory. Default: not limited.")


class Running(Part):
    """A node on which commands run."""

    run: tuple[Annotated[Service, ShortForm("command", form=COMMAND)], ...] = Field(
        default=(), description="Its services. Default: none."
    )
    limits: Limits | None = Field(
        default=None, description="Limits of its processes. Default: none."
    )
