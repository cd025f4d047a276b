"""Rules, security groups, firewalls and NAT as a user writes them (pure)."""

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from vnetlab.topology.forms import Names, Port, Text
from vnetlab.topology.forms_policies import (
    RULE,
    Action,
    Peer,
    Ports,
    Protocol,
    Rest,
    Transport,
)
from vnetlab.topology.part import Part


class Rule(Part):
    """What happens to some packets. The replies to what is allowed are allowed too."""

    model_config = ConfigDict(title="rule")
    takes_defaults: ClassVar[bool] = False

    action: Action = Field(
        default="allow",
        description="What is done: `reject` tells the sender. Security groups can only allow. "
        "Default: allow.",
    )
    proto: Protocol = Field(default="any", description="Protocol. Default: any.")
    ports: Ports | None = Field(
        default=None, description="Ports of the destination, of TCP or UDP. Default: all."
    )
    from_: Peer = Field(default="any", alias="from", description="Who sends it. Default: any.")
    to: Peer = Field(default="any", description="Who it is for. Default: any.")


Rules = tuple[Annotated[Rule, RULE], ...]


class SecurityGroup(Part):
    """What may reach a vNIC and leave it, enforced at its port of the vSwitch.

    The rules of all groups of a vNIC count together; what none of them allows does not pass. ARP
    and neighbour discovery always do.
    """

    model_config = ConfigDict(title="security group")

    ingress: Rules = Field(
        default=(), description="What may come in, and from whom. Default: nothing."
    )
    egress: Rules | None = Field(
        default=None, description="What may go out, and to whom. Default: everything."
    )


class Firewall(Part):
    """A node's own packet filter."""

    model_config = ConfigDict(title="firewall")

    input: Rules | None = Field(
        default=None, description="For what comes in, in their order. Default: none."
    )
    output: Rules | None = Field(
        default=None, description="For what goes out, in their order. Default: none."
    )
    rest: Rest = Field(
        default="allow",
        alias="default",
        description="What happens to packets of no rule, in the directions that have any (in both "
        "where neither has). Default: allow.",
    )


class PortForward(Part):
    """What comes from a network to a port of the router goes on to a port of another node."""

    model_config = ConfigDict(title="port forward")
    takes_defaults: ClassVar[bool] = False

    network: Text = Field(description="The network that it comes from. Default: must be given.")
    proto: Transport = Field(default="tcp", description="Protocol. Default: tcp.")
    port: Port = Field(description="The router's port. Default: must be given.")
    to: Peer = Field(
        description="The node that it goes to, or its address. Default: must be given."
    )
    to_port: Port | None = Field(default=None, description="The port there. Default: the router's.")


class Nat(Part):
    """Translation of addresses by a router."""

    model_config = ConfigDict(title="NAT")

    masquerade: Names = Field(
        default=(),
        description="Networks into which everything is sent with the router's own address. "
        "Default: none.",
    )
    forward: tuple[PortForward, ...] = Field(
        default=(), description="Ports of the router that lead to other nodes. Default: none."
    )
