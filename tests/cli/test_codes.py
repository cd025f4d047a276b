from __future__ import annotations

import json

from tests.cli.conftest import CommandLine
from vnetlab.diagnosis.pages.lookup import list_codes


def test_all_codes_are_listed(vnetlab: CommandLine) -> None:
    """The list has a line per code, and the same codes as JSON."""
    text, values = vnetlab("codes"), vnetlab("codes", "--json")
    assert (text.returncode, values.returncode) == (0, 0)
    codes = [entry.code for entry in list_codes()]
    assert [line.split()[0] for line in text.stdout.splitlines()[1:]] == codes
    assert [row["code"] for row in json.loads(values.stdout)] == codes


def test_a_code_is_explained(vnetlab: CommandLine) -> None:
    """Its page says how to see it and how to mend it; as JSON it is the same page."""
    text = vnetlab("codes", "vswitch.vlan-not-allowed").stdout
    page = json.loads(vnetlab("codes", "vswitch.vlan-not-allowed", "--json").stdout)["page"]
    assert "vnetlab exec NODE -- bridge vlan show dev PORT" in text
    assert page["look"] == ["bridge vlan show dev PORT"]
    assert " ".join(page["what"].split()) in " ".join(text.split())


def test_an_unknown_code_is_wrong_usage(vnetlab: CommandLine) -> None:
    """One line names the closest code; the exit code is that of wrong usage."""
    done = vnetlab("codes", "vswitch.no-pvids")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'vswitch.no-pvid'?" in done.stderr
    assert len(done.stderr.splitlines()) == 1
