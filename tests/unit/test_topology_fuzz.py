"""Damaged files: whatever is wrong, one clear error."""

from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vnetlab.errors import Problem, TopologyError
from vnetlab.topology.load import load

ROOT = Path(__file__).parents[2]
FILES = [*ROOT.glob("topologies/*.yaml"), *ROOT.glob("tests/golden/*/topology.yaml")]
TEXTS = [path.read_text(encoding="utf-8") for path in sorted(FILES)]
SIGNS = [*"{}[]:,&*!|>'\"%@`#-? \n\t\r\0\\", "{{", "}}", "{%", "%}", "- ", ": ", "*a", "&a "]
VALUES = ["null", "4095", "-1", "1e99", "0x" + "f" * 5000, "9" * 5000, ".nan", "true", "''", "[]"]
WORDS = ["vlan", "vms", "hv1", "10.0.0.0/24", "fd00::/64", "{}", "~", "\u2028", "\x85", "\ud7ff"]
PIECES = [*SIGNS, *VALUES, *WORDS]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid or golden file with a few stretches of it replaced."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 12))
        new = draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)))
        text = text[:start] + new + text[start + length :]
    return text


def problems_of(path: Path) -> tuple[Problem, ...]:
    """What is wrong with the file; any exception but TopologyError comes through."""
    try:
        load(path)
    except TopologyError as error:
        return error.problems
    return ()


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=damaged())
@example(text="vms: {a: {nics: [{mac: 0x" + "f" * 5000 + "}]}}")
@example(text="? [a]\n: b")
@example(text='vms: {{ "\\ud800" }}')
@example(text="{{ '\\0' }}")
def test_a_damaged_file_loads_or_is_a_topology_error(tmp_path: Path, text: str) -> None:
    """Nothing but TopologyError comes out, and every problem has a line."""
    path = tmp_path / "lab.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    last = text.count("\n") + text.count("\r") + 1
    for problem in problems_of(path):
        assert 1 <= problem.line <= last, problem
        assert problem.text
