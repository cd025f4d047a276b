"""Variables of templates, from the command line and from files."""

from pathlib import Path

import pytest

from vnetlab.errors import TopologyError, UsageError
from vnetlab.topology.variables import parse_assignment, read_variables


@pytest.mark.parametrize(
    ("text", "assignment"),
    [
        ("vlans=[20]", ("vlans", [20])),
        ("vms=100", ("vms", 100)),
        ("name=web", ("name", "web")),
        ("sign=a=b", ("sign", "a=b")),
        ("answer=no", ("answer", "no")),
        ("nothing=", ("nothing", None)),
    ],
)
def test_an_assignment_has_a_yaml_value(text: str, assignment: tuple[str, object]) -> None:
    """What follows the first `=` is read as in a topology file."""
    assert parse_assignment(text) == assignment


@pytest.mark.parametrize("text", ["vlans", "=20", "a-b=1", ""])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    """The name must be one that a template can use."""
    with pytest.raises(UsageError, match=r"^--set: got '.*', expected NAME=VALUE"):
        parse_assignment(text)


def test_a_value_that_is_no_yaml_is_refused() -> None:
    """The error names the variable."""
    with pytest.raises(TopologyError, match=r"^--set vlans:1:\d+ not YAML: "):
        parse_assignment("vlans=[20")


def test_a_file_of_variables_is_a_mapping(tmp_path: Path) -> None:
    """Each key is a variable; an empty file has none; a list is refused."""
    path = tmp_path / "variables.yaml"
    path.write_text("vlans: [20]\nname: web\n")
    assert read_variables(path) == {"vlans": [20], "name": "web"}
    path.write_text("# nothing\n")
    assert read_variables(path) == {}
    path.write_text("[20]\n")
    with pytest.raises(TopologyError, match="expected NAME: VALUE lines"):
        read_variables(path)
