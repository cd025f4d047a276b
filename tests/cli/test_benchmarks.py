from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import CLAIMS
from benchmarks.report import BEGIN, END, insert, picture
from benchmarks.result import Result, Target, skipped

REPOSITORY = Path(__file__).parents[2]
_RESULT = Result(claim="up <b>", value=2.0, target=Target(most=1.3), medians=(("floor", 0.5),))


@pytest.mark.skipif(os.geteuid() != 0, reason="the host realm needs root")
@pytest.mark.parametrize("claim", CLAIMS)
def test_a_benchmark_measures_something(claim: str, tmp_path: Path) -> None:
    """Each benchmark runs, at a small size, and tells a number or what is not installed."""
    command = [sys.executable, "-m", "benchmarks", "--small", "--out", str(tmp_path), claim]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())["results"]
    assert results
    for result in results:
        assert result["value"] is not None or "PATH" in result["note"], result


def test_the_table_comes_between_the_marks(tmp_path: Path) -> None:
    """What stands around the marks stays, what was between them goes."""
    file = tmp_path / "README.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    insert(file, "a machine", [_RESULT, skipped("probe", "no 'ping' on PATH")])
    text = file.read_text()
    assert text.startswith(f"before\n{BEGIN}\nMeasured on a machine.")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "| up <b> | 2.00 x | at most 1.3 | missed | floor 0.5 s |" in text
    assert "| probe | no 'ping' on PATH |  | skipped |" in text


def test_a_file_without_marks_is_refused(tmp_path: Path) -> None:
    """A table is not written to a place that nobody has chosen."""
    file = tmp_path / "README.md"
    file.write_text("nothing")
    with pytest.raises(ValueError, match="expected '<!-- benchmarks: begin -->'"):
        insert(file, "a machine", [_RESULT])


def test_the_picture_has_a_bar_for_each_number() -> None:
    """What could not be measured, or has no target, has none; text is escaped."""
    drawn = picture([_RESULT, skipped("probe", "no ping"), Result(claim="stated", value=1.0)])
    assert drawn.count("<text") == 1
    assert "up &lt;b&gt;: 2.00 x" in drawn


@pytest.mark.parametrize(
    ("target", "value", "expected"),
    [
        (Target(most=1.3), 1.3, "holds"),
        (Target(most=1.3), 1.31, "missed"),
        (Target(least=6), 6, "holds"),
        (Target(least=6), 5.9, "missed"),
        (Target(), 5.9, "stated"),
    ],
)
def test_a_verdict_is_by_the_target(target: Target, value: float, expected: str) -> None:
    """The limit itself holds."""
    assert Result(claim="it", value=value, target=target).verdict == expected
