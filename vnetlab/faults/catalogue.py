"""Every kind of fault there is (pure)."""

from __future__ import annotations

from vnetlab.errors import UsageError
from vnetlab.faults.applications import application_faults
from vnetlab.faults.fault import Fault, Place
from vnetlab.faults.firewalls import firewall_faults
from vnetlab.faults.links import link_faults
from vnetlab.faults.policies import policy_faults
from vnetlab.faults.queues import filter_faults, queue_faults
from vnetlab.faults.routing import routing_faults
from vnetlab.faults.settings import setting_faults
from vnetlab.faults.tunnels import tunnel_faults
from vnetlab.state.objects import State
from vnetlab.topology.wording import did_you_mean

CATALOGUE: dict[str, Fault] = {
    fault.kind: fault
    for fault in (
        *link_faults(),
        *queue_faults(),
        *filter_faults(),
        *routing_faults(),
        *setting_faults(),
        *firewall_faults(),
        *policy_faults(),
        *tunnel_faults(),
        *application_faults(),
    )
}
"""All kinds by their names."""


def find_fault(kind: str) -> Fault:
    """The kind of that name. Raises UsageError if there is none."""
    if kind not in CATALOGUE:
        raise UsageError(f"no kind of fault '{kind}'", fix=did_you_mean(kind, CATALOGUE))
    return CATALOGUE[kind]


def find_place(fault: Fault, name: str, state: State) -> Place:
    """The place of that name where the fault can be, see `named_places`.

    Raises UsageError if there is none.
    """
    found = named_places(fault, state)
    if name not in found:
        raise UsageError(
            f"'{fault.kind}' cannot be at '{name}'", fix=did_you_mean(name, found) or "see the list"
        )
    return found[name]


def named_places(fault: Fault, state: State) -> dict[str, Place]:
    """The places where a fault can be: `hv1.eno1`, in one VLAN `hv1.eno1/20`, a second `gw#2`."""
    found: dict[str, Place] = {}
    for place in fault.places(state):
        number = 1
        own = place.object if place.vlan is None else f"{place.object}/{place.vlan}"
        while (name := own if number == 1 else f"{own}#{number}") in found:
            number += 1
        found[name] = place
    return found
