"""`vnetlab doctor`."""

from __future__ import annotations

import json as jsonlib
import os
import platform
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from msgspec.structs import replace

from vnetlab.cli.options import JsonOption

if TYPE_CHECKING:
    from vnetlab.state.features import Feature
    from vnetlab.views.doctor import Check, Report

_TOOLS = {
    "apt-get": ("kernel install, kernel build", "put a linux.uml of another machine on PATH"),
    "dpkg-deb": ("kernel install, kernel build", "put a linux.uml of another machine on PATH"),
    "gcc": ("kernel build", "apt-get install gcc libc6-dev"),
    "make": ("kernel build", "apt-get install make"),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(*, json: JsonOption = False) -> None:
    """Show what each realm has and lacks here, and how to get it.

    \b
    vnetlab doctor
    vnetlab doctor --json

    A lab kernel is booted to ask it. Exits with 5 if no realm has everything.
    """
    from vnetlab.cli.whereabouts import here
    from vnetlab.realm.choose import Realm
    from vnetlab.views.doctor import render_reports
    from vnetlab.views.json_text import to_json

    if here() is Realm.HOST:
        realms, others = [_this_kernel("host"), _rootless(), _lab_kernel()], [_tools()]
    else:
        realms, others = [_this_kernel(here().value)], []
    reports = [*realms, *others]
    typer.echo(to_json(reports) if json else render_reports(reports))
    if not any(report.complete for report in realms):
        raise typer.Exit(5)


def _this_kernel(realm: str) -> Report:
    from vnetlab.errors import MissingFeatureError
    from vnetlab.kernel.features import missing_features
    from vnetlab.state.features import Feature
    from vnetlab.views.doctor import Check, Report

    permission = Check(
        name="permission",
        present=True,
        needed_for="making network namespaces",
        remedy="run vnetlab as root, or use --realm rootless or uml, which need none",
    )
    try:
        features = _features(missing_features(tuple(Feature)))
    except MissingFeatureError:
        permission, features = replace(permission, present=False), []
    kernel = "lab kernel" if realm == "uml" else "this kernel"
    return Report(
        realm=realm, what=f"{kernel}, Linux {platform.release()}", checks=(permission, *features)
    )


def _features(missing: Collection[Feature]) -> list[Check]:
    from vnetlab.state.features import Feature
    from vnetlab.views.doctor import Check

    return [
        Check(
            name=feature.label,
            present=feature not in missing,
            needed_for=feature.needed_for,
            remedy=f"a kernel with {feature.option}, or --realm uml",
        )
        for feature in Feature
    ]


def _rootless() -> Report:
    """Try each step of the way into a user namespace, and the kernel's features in there."""
    from vnetlab.kernel.features import missing_features
    from vnetlab.realm.rootless.refusal import Refusal, Step
    from vnetlab.realm.rootless.user_namespace import call_in_new
    from vnetlab.state.features import Feature
    from vnetlab.views.doctor import Check, Report

    answer = call_in_new(lambda: missing_features(tuple(Feature)))
    refused = answer if isinstance(answer, Refusal) else None
    checks = []
    for step in Step:
        failed = refused is not None and refused.step is step
        remedy = f"{refused.reason}: {refused.remedy}" if refused and failed else ""
        checks.append(
            Check(name=step.label, present=not failed, needed_for=step.needed_for, remedy=remedy)
        )
        if failed:
            break  # nothing is known of the later steps
    features = [] if isinstance(answer, Refusal) else _features(answer)
    what = "user namespaces of this kernel, no root needed"
    return Report(realm="rootless", what=what, checks=(*checks, *features))


def _lab_kernel() -> Report:
    from vnetlab.errors import VnetlabError
    from vnetlab.views.doctor import Check, Report

    get_one = "'vnetlab kernel install' (seconds) or 'vnetlab kernel build' (minutes, full)"
    machine = platform.machine()
    if machine != "x86_64":
        wrong = Check(
            name="x86-64", present=False, needed_for="User Mode Linux", remedy="another machine"
        )
        return Report(realm="uml", what=f"not on {machine}", checks=(wrong,))
    from vnetlab.realm.kernels.inventory import best_kernel

    best = best_kernel()
    if best is None:
        none = Check(name="lab-kernel", present=False, needed_for="every lab in it", remedy=get_one)
        return Report(realm="uml", what="no lab kernel is installed", checks=(none,))
    try:
        checks = _ask_lab_kernel()
    except VnetlabError as error:
        checks = [Check(name="boot", present=False, needed_for="every lab", remedy=str(error))]
    lacks = f"; it lacks {', '.join(best.missing)}, which 'vnetlab kernel build' adds"
    what = f"lab kernel {best.name}" + (lacks if best.missing else "")
    return Report(realm="uml", what=what, checks=tuple(checks))


def _ask_lab_kernel() -> list[Check]:
    """Run this command in the lab kernel and read what it says of itself.

    Raises KernelRefusedError if it does not boot or answer.
    """
    from vnetlab.cli.boot import start_lab_kernel
    from vnetlab.errors import KernelRefusedError
    from vnetlab.realm.uml.client import run_in_lab_kernel
    from vnetlab.views.doctor import Check

    start_lab_kernel("to be asked what it has")
    with _output_to_memory() as output:
        run_in_lab_kernel(["doctor", "--json"], stdin=False)
        os.lseek(output, 0, os.SEEK_SET)
        with os.fdopen(os.dup(output)) as file:
            text = file.read()
    if not text:
        raise KernelRefusedError("the lab kernel did not answer")
    (report,) = jsonlib.loads(text)
    return [Check(**check) for check in report["checks"]]


@contextmanager
def _output_to_memory() -> Iterator[int]:
    """Have standard output go to a file in memory; yield its descriptor."""
    memory = os.memfd_create("output")
    stdout = os.dup(1)
    try:
        os.dup2(memory, 1)
        yield memory
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(memory)


def _tools() -> Report:
    from vnetlab.views.doctor import Check, Report

    checks = tuple(
        Check(
            name=tool,
            present=shutil.which(tool) is not None,
            needed_for=needed_for,
            remedy=remedy,
        )
        for tool, (needed_for, remedy) in _TOOLS.items()
    )
    return Report(realm="tools", what="for managing lab kernels", checks=checks)
