"""What `vnetlab plan` prints for a lab that is not up: `<case>/topology.yaml` -> `<case>/plan.txt`.

A new case is a folder with a `topology.yaml` and an empty `plan.txt`. To write what is printed now
into every `plan.txt`, then to be read in the diff: `UPDATE_GOLDEN=1 pytest tests/golden`.
"""

import os
from pathlib import Path

import pytest

from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import diff_states
from vnetlab.state.objects import State
from vnetlab.state.plan import order_changes
from vnetlab.topology.load import load
from vnetlab.views.plan import render_plan

GOLDEN = Path(__file__).parent
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/plan.txt"))
SHIPPED = sorted(GOLDEN.parents[1].glob("topologies/*.yaml"))


def plan_of(path: Path) -> str:
    """The plan for an empty kernel that has every setting."""
    desired = compile_topology(load(path))
    return render_plan(order_changes(diff_states(desired=desired, observed=State()))) + "\n"


@pytest.mark.parametrize("case", CASES)
def test_a_topology_has_its_golden_plan(case: str) -> None:
    """Every object, its settings and its place in the order are as they were."""
    golden = GOLDEN / case / "plan.txt"
    found = plan_of(golden.parent / "topology.yaml")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_topology_has_a_plan(path: Path) -> None:
    """Every file in topologies/ loads, compiles and has something to build."""
    assert "0 to change, 0 to remove" in plan_of(path)
