"""One value of a running lab's file is edited: only what it is about changes, in one round."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.edit_cases import EDITS, LAB, MORE, Edit, edited
from tests.unit.model_kernel import ModelKernel
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import diff_states
from vnetlab.state.objects import State
from vnetlab.state.plan import order_changes
from vnetlab.state.show import describe
from vnetlab.topology.document import Path as KeyPath
from vnetlab.topology.kinds import content_of
from vnetlab.topology.load import load
from vnetlab.topology.model_file import Defaults, TopologyFile
from vnetlab.topology.model_paths import part_at
from vnetlab.topology.part import Part


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_touches_what_it_is_about(edit: Edit) -> None:
    """Every change is of an expected object, each expected one changes, and one plan is enough."""
    before, after = _base(), _compile(edited(edit))
    changes = diff_states(desired=after, observed=before)
    touched = {describe(change.subject) for change in changes}
    hits = {(what, by) for what in touched for by in edit.touches if fnmatchcase(what, by)}
    assert touched - {what for what, _ in hits} == set()
    assert set(edit.touches) - {by for _, by in hits} == set()
    kernel = ModelKernel(before)
    kernel.carry_out(order_changes(changes))
    assert diff_states(desired=after, observed=kernel.state) == ()


def test_every_key_of_the_language_has_an_edit() -> None:
    """A new key needs a case of its own."""
    missing = _keys(TopologyFile, set()) - {_key(edit.path) for edit in EDITS}
    assert not missing, sorted(missing)


def _keys(part: type[Part], seen: set[type[Part]]) -> set[tuple[str, str]]:
    """The keys of a part and of all in it, but of those in `defaults`, which are the same."""
    seen.add(part)
    found = {(part.__name__, key) for key in content_of(part)}
    for inner, _ in content_of(part).values() if part is not Defaults else ():
        if inner and inner not in seen:
            found |= _keys(inner, seen)
    return found


def _key(path: KeyPath) -> tuple[str, str]:
    """The part that a path ends in, and the key of it."""
    at = next(end for end in range(len(path) - 1, -1, -1) if part_at(path[:end]))
    part = part_at(path[:at])
    assert part is not None
    return part.__name__, str(path[at])


@cache
def _base() -> State:
    return _compile(LAB)


def _compile(lab: dict[str, Any]) -> State:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "lab.yaml"
        file.write_text(json.dumps(lab))
        (Path(folder) / "more.yaml").write_text(MORE)
        topology = replace(load(file), source="/lab/lab.yaml")
    return compile_topology(topology)
