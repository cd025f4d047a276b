"""The realm that `up` takes for a topology, which is started if need be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from vnetlab.cli.progress import progress_bar
from vnetlab.cli.whereabouts import all_labs, hand_over, here, tell_of_keeper_death
from vnetlab.errors import MissingFeatureError, UsageError
from vnetlab.realm.choose import Realm
from vnetlab.topology.topology import Topology

if TYPE_CHECKING:
    from vnetlab.state.features import Feature

_GET_ONE = (
    "get one with 'vnetlab kernel install' (seconds) or 'vnetlab kernel build' (minutes, full)"
)
_PRELOAD = ("vnetlab.cli.app", "vnetlab.lab", "vnetlab.topology.load", "vnetlab.topology.template")
_PREWARM = (
    "vnetlab.wire.probe",
    "vnetlab.diagnosis.locate",
    "vnetlab.views.probe_text",
    "vnetlab.views.status",
    "vnetlab.views.plan",
)


def go_to_realm(topology: Topology, wanted: Realm) -> str:
    """Enter the realm of the lab of `topology`, or the one that it is to be in; say which and why.

    A lab that is up stays where it is. The lab kernel, if it is the place, is named on standard
    error; inside a realm there is nothing more to say, and the answer is empty.
    Raises UsageError if it is up in another realm than `wanted`, MissingFeatureError if no realm
    can hold it.
    """
    if here() is not Realm.HOST:
        return ""
    present = all_labs().get(topology.name)
    if present is not None and wanted not in (Realm.AUTO, present.realm):
        raise UsageError(
            f"lab '{topology.name}' is up in realm {present.realm.value}",
            fix=f"leave out --realm, or take it down with 'vnetlab down {topology.name}'",
        )
    realm = present.realm if present else wanted
    why = "as asked for" if wanted is realm else "where it is already"
    if realm is Realm.AUTO:
        realm, why = _choose(topology)
    refuse_external(topology, realm, why)
    if realm is Realm.UML:
        name = start_lab_kernel(why)
        typer.echo(f"realm uml, lab kernel {name}: {why}", err=True)
        hand_over()
    if realm is Realm.ROOTLESS:
        _enter_rootless()
    return f"realm {realm.value}: {why}"


def refuse_external(topology: Topology, realm: Realm, why: str) -> None:
    """Raise MissingFeatureError if a router wants the host's network and `realm` is not the host.

    `why` says why it is that realm.
    """
    router = next((router.name for router in topology.routers if router.external), None)
    if router is not None and realm is not Realm.HOST:
        raise MissingFeatureError(
            f"realm {realm.value} ({why}) has no way to the host's network, "
            f"which routers.{router}.external asks for",
            fix="use --realm host, as root and with a kernel that has all it needs "
            "('vnetlab doctor' tells), or leave 'external' out",
        )


def _choose(topology: Topology) -> tuple[Realm, str]:
    """Return the first realm that can hold the lab, and why it is that one."""
    from vnetlab.kernel.features import missing_features
    from vnetlab.realm.rootless.refusal import Refusal
    from vnetlab.realm.rootless.user_namespace import call_in_new
    from vnetlab.state.compile import compile_topology
    from vnetlab.state.features import required_features

    required = required_features(compile_topology(topology))
    realm, why = Realm.HOST, "this kernel has all it needs"
    lacking: tuple[Feature, ...] | Refusal
    try:
        lacking = missing_features(required)
    except MissingFeatureError:  # the permission
        realm, why = Realm.ROOTLESS, "this kernel has all it needs, without root"
        lacking = call_in_new(lambda: missing_features(required))
    if isinstance(lacking, Refusal):
        rights = "no root" if os.geteuid() else "root without all its rights"
        return Realm.UML, f"{rights}, and {lacking.reason}"
    if lacking:
        return Realm.UML, f"this kernel has no {', '.join(f.label for f in lacking)}"
    return realm, why


def _enter_rootless() -> None:
    from vnetlab.realm.rootless.entry import enter

    tell_of_keeper_death()
    enter(start=True)


def start_lab_kernel(why: str) -> str:
    """Boot the best lab kernel, if none runs; return the name of the one that runs.

    `why` says what it is needed for, should there be none.

    Raises MissingFeatureError if there is none to boot, KernelRefusedError if it does not boot.
    """
    from vnetlab.realm.kernels.inventory import best_kernel
    from vnetlab.realm.uml.boot import Guest
    from vnetlab.realm.uml.connection import running
    from vnetlab.realm.uml.lifecycle import ensure_running

    if (status := running()) and status.is_ready:
        return status.kernel
    best = best_kernel()
    if best is None:
        raise MissingFeatureError(f"no lab kernel is installed ({why})", fix=_GET_ONE)
    with progress_bar() as progress:
        ensure_running(
            best,
            Guest(preload=_PRELOAD, prewarm=_PREWARM),
            progress=lambda _: progress(f"booting lab kernel {best.name}", None),
        )
    return best.name
