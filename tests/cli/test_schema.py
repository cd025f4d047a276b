from __future__ import annotations

import json

from tests.cli.conftest import CommandLine
from vnetlab.topology.schema import json_schema


def test_the_schema_is_printed(vnetlab: CommandLine) -> None:
    """What goes into a file for an editor is the schema and nothing else."""
    done = vnetlab("schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json_schema()
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
