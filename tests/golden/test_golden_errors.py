"""What a wrong topology file prints: `<case>/topology.yaml` -> `<case>/error.txt`.

`UPDATE_GOLDEN=1 pytest tests/golden` writes what is printed now, then to be read in the diff.
"""

import os
from pathlib import Path

import pytest

from vnetlab.errors import TopologyError
from vnetlab.topology.load import load

GOLDEN = Path(__file__).parent
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/error.txt"))


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_file_prints_its_golden_error(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every problem of the file is there, in its order, with place, path, fault and fix."""
    monkeypatch.chdir(GOLDEN / case)
    with pytest.raises(TopologyError) as caught:
        load(Path("topology.yaml"))
    if os.environ.get("UPDATE_GOLDEN"):
        Path("error.txt").write_text(f"{caught.value}\n", encoding="utf-8")
    assert f"{caught.value}\n" == Path("error.txt").read_text(encoding="utf-8")
