"""The catalogue of faults, its truth, and how verdicts are marked."""

from __future__ import annotations

from pathlib import Path

import pytest

from vnetlab.diagnosis.codes import Area
from vnetlab.diagnosis.verdict import Layer
from vnetlab.errors import UsageError
from vnetlab.faults.catalogue import CATALOGUE, find_fault, find_place, named_places
from vnetlab.faults.score import Accusation, Mark, Result, tabulate
from vnetlab.faults.store import ResultFile
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import diff_states
from vnetlab.topology.load import load
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.views.faults import render_score
from vnetlab.views.score_svg import render_confusion

SHIPPED = sorted(Path(__file__).parents[2].glob("topologies/*.yaml"))
STATES = {path.stem: compile_topology(load(path)) for path in SHIPPED}

DOWN = Accusation(code="pnic.link-down", object="hv1.eno1", layer=Layer.PNIC)
NARROW = Accusation(code="pnic.mtu-too-small", object="hv1.eno1", layer=Layer.PNIC)
OTHER = Accusation(code="pnic.link-down", object="hv2.eno1", layer=Layer.PNIC)
VNIC = Accusation(code="vnic.link-down", object="a.eth0", layer=Layer.VNIC)


@pytest.mark.parametrize("kind", CATALOGUE)
def test_a_kind_can_be_somewhere_and_changes_the_state_there(kind: str) -> None:
    """In at least one shipped lab; its code is one that a verdict can have."""
    fault = CATALOGUE[kind]
    area, reason = fault.code.split(".")
    assert area in {it.word for it in Area}
    assert reason in {it.value for it in Reason}
    found = 0
    for state in STATES.values():
        for place in list(named_places(fault, state).values())[:3]:
            changed = fault.change(state, place)
            assert diff_states(desired=changed, observed=state)
            found += 1
    assert found


def test_the_catalogue_is_large() -> None:
    """As many kinds as the README says, at least."""
    assert len(CATALOGUE) >= 110


def test_unknown_kinds_and_places_are_told() -> None:
    """With what was likely meant."""
    with pytest.raises(UsageError, match="vnic-down"):
        find_fault("vnic-dwon")
    fault = find_fault("pnic-down")
    state = STATES["two-hypervisors"]
    assert find_place(fault, "hv1.eno1", state).object == "hv1.eno1"
    with pytest.raises(UsageError, match=r"hv1\.eno1"):
        find_place(fault, "hv1.eno", state)


def _result(*accused: Accusation, truth: tuple[Accusation, ...] = (DOWN,)) -> Result:
    return Result(
        topology="lab",
        kind="kind",
        place="place",
        source="a",
        destination="b",
        truth=truth,
        accused=accused,
        healthy=not accused,
        effective=True,
    )


@pytest.mark.parametrize(
    ("result", "mark"),
    [
        (_result(DOWN), Mark.EXACT),
        (_result(VNIC, DOWN), Mark.EXACT),
        (_result(NARROW), Mark.OBJECT),
        (_result(OTHER), Mark.LAYER),
        (_result(VNIC), Mark.WRONG),
        (_result(), Mark.NONE),
        (_result(truth=()), Mark.EXACT),
        (_result(VNIC, truth=()), Mark.WRONG),
        (_result(DOWN, truth=(DOWN, VNIC)), Mark.NONE),
        (_result(DOWN, OTHER, truth=(DOWN, VNIC)), Mark.WRONG),
        (_result(VNIC, DOWN, truth=(DOWN, VNIC)), Mark.EXACT),
    ],
)
def test_marks(result: Result, mark: Mark) -> None:
    """The worst over all truths."""
    assert result.mark is mark


def test_a_score_is_a_row_for_each_layer(tmp_path: Path) -> None:
    """Kept in a file as well, from which it can be resumed."""
    kept = ResultFile(tmp_path / "results")
    for result in (_result(DOWN), _result(OTHER), _result(truth=())):
        kept.add(result)
    again = ResultFile(tmp_path / "results")
    assert again.results == kept.results
    table = render_score(tabulate(again.results))
    assert "| pNIC (uplink) | 2 | 1 (50 %) | 1 (50 %) | 2 (100 %) | 0 (0 %) | 0 (0 %) |" in table
    assert "| healthy | 1 | 1 (100 %) | 1 (100 %) |" in table
    assert ">2</text>" in render_confusion(again.results)


def test_another_file_is_refused(tmp_path: Path) -> None:
    """It holds no results."""
    (tmp_path / "results").write_text("something else\n")
    with pytest.raises(UsageError, match="results"):
        ResultFile(tmp_path / "results")
