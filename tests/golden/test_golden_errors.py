"""What a wrong topology file prints: `<case>/topology.yaml` -> `<case>/error.txt`.

Or `<case>/warnings.txt`, where it is only likely wrong.

`UPDATE_GOLDEN=1 pytest tests/golden` writes what is printed now, then to be read in the diff.
"""

import os
from pathlib import Path

import pytest

from vnetlab.errors import TopologyError
from vnetlab.topology.load import load, load_with_warnings

GOLDEN = Path(__file__).parent
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/error.txt"))
WARNED = sorted(path.parent.name for path in GOLDEN.glob("*/warnings.txt"))
SHIPPED = sorted(GOLDEN.parents[1].glob("topologies/*.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_file_prints_its_golden_error(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every problem of the file is there, in its order, with place, path, fault and fix."""
    monkeypatch.chdir(GOLDEN / case)
    with pytest.raises(TopologyError) as caught:
        load(Path("topology.yaml"))
    if os.environ.get("UPDATE_GOLDEN"):
        Path("error.txt").write_text(f"{caught.value}\n", encoding="utf-8")
    assert f"{caught.value}\n" == Path("error.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", WARNED)
def test_a_file_that_is_likely_wrong_prints_its_golden_warnings(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every warning is there, in the file's order; the topology is one all the same."""
    monkeypatch.chdir(GOLDEN / case)
    _, warnings = load_with_warnings(Path("topology.yaml"))
    found = "".join(f"{warning}\n" for warning in warnings)
    if os.environ.get("UPDATE_GOLDEN"):
        Path("warnings.txt").write_text(found, encoding="utf-8")
    assert found == Path("warnings.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_topology_has_no_warning(path: Path) -> None:
    """What we show is right, and nothing in it is likely wrong."""
    assert load_with_warnings(path)[1] == ()
