from __future__ import annotations

from pathlib import Path

import pytest

from vnetlab.topology.load import load
from vnetlab.topology.reference import EXAMPLES, FILE, render_reference
from vnetlab.topology.schema import json_schema


def test_the_page_is_what_the_model_says() -> None:
    """docs/topology.md is as new as the model; scripts/fix renews it."""
    assert FILE.read_text(encoding="utf-8") == render_reference()


@pytest.mark.parametrize("title", EXAMPLES)
def test_every_example_is_a_topology(tmp_path: Path, title: str) -> None:
    """What the page shows can be built."""
    file = tmp_path / "lab.yaml"
    file.write_text(EXAMPLES[title])
    assert load(file).name == "lab"


def test_every_key_is_on_the_page() -> None:
    """No key of any kind of object is left out, and each says what it is."""
    page = render_reference()
    for part in (json_schema(), *json_schema()["$defs"].values()):
        for key in part["properties"]:
            assert f"| `{key}` |" in page
    assert "$defs" not in page
