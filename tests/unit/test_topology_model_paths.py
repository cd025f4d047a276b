"""Which part of the model a path leads to."""

from __future__ import annotations

import pytest

from vnetlab.topology.document import Path
from vnetlab.topology.model import Nic, Pnic, Vm
from vnetlab.topology.model_cables import Direction
from vnetlab.topology.model_file import TopologyFile
from vnetlab.topology.model_paths import is_object, keys_of, part_at
from vnetlab.topology.part import Part

PNIC: Path = ("hypervisors", "hv1", "pnics", "eno1")
PARTS: list[tuple[Path, type[Part] | None, bool]] = [
    ((), TopologyFile, False),
    (("vms",), None, False),
    (("vms", "a"), Vm, True),
    (("vms", "a", "nics", 0), Nic, True),
    (PNIC, Pnic, True),
    ((*PNIC, "in"), Direction, False),
    ((*PNIC, "in", "rate"), None, False),
    ((*PNIC, "vlans", 0), None, False),
    (("nonsense", "a", "b"), None, False),
]


@pytest.mark.parametrize(("path", "part", "of_several"), PARTS)
def test_a_path_leads_to_its_part(path: Path, part: type[Part] | None, of_several: bool) -> None:
    """By keys, names and indexes; a part that is the only one of its key is no object."""
    assert part_at(path) is part
    assert is_object(path) == of_several


def test_keys_are_those_of_the_file() -> None:
    """A word that Python keeps for itself is one like any other; a part's own keys come first."""
    assert keys_of(Pnic)[0] == "to"
    assert {"in", "out"} < set(keys_of(Pnic))
