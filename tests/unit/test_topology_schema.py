from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.golden.test_golden_errors import CASES, GOLDEN
from tests.json_schema import find_faults
from tests.kernel import topologies
from vnetlab.errors import TopologyError
from vnetlab.topology.document import format_path, read_document
from vnetlab.topology.load import load
from vnetlab.topology.quantities import parse_delay, parse_rate
from vnetlab.topology.schema import json_schema
from vnetlab.topology.source import Source
from vnetlab.topology.template import render
from vnetlab.topology.values import parse_address, parse_ipv4_prefix, parse_ipv6_prefix, parse_mac
from vnetlab.topology.wording import InvalidValueError

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "topologies").glob("*.yaml"))
PLANNED = sorted(path.parent / "topology.yaml" for path in GOLDEN.glob("*/plan.txt"))
SCHEMA = json_schema()
GOOD = {
    "flat": topologies.FLAT,
    "routed": topologies.ROUTED,
    "two vSwitches": topologies.TWO_VSWITCHES,
    "gateway": topologies.GATEWAY,
    "short forms": "hypervisors: {h: {pnics: {e0: tor1, e1: }}}\nvms: {a: {nics: [lan, ~]}, b: }",
    "a gateway alone": "networks: {lan: {gateway: 10.0.0.1}}",
    "gateways": "networks: {lan: {gateway: [10.0.0.1, 'fd00::1']}}",
    "nothing said": "name:\nnetworks:\nvms:\nrouters:\nhypervisors:\nphysical_switches:\n",
    "rates": "hypervisors: {h: {pnics: {a: {rate: 1 Gbit, delay: 0}, b: {rate: 9000, delay: 2s}}}}",
}
FOUND_BY_SCHEMA = (
    "address-wrong-family",
    "name-malformed",
    "not-a-mapping",
    "rate-malformed",
    "unknown-key",
    "unknown-keys-everywhere",
    "vlan-4095",
)
"""Golden cases in which everything wrong is of a kind that the schema can tell."""


def _faults(text: str) -> list[str]:
    document, _ = read_document(Source("lab.yaml", text, text))
    return [format_path(path) for path in find_faults(document.value, SCHEMA, SCHEMA)]


@pytest.mark.parametrize("file", [*SHIPPED, *PLANNED], ids=lambda path: path.parent.name)
def test_topologies_that_can_be_built_are_valid(file: Path) -> None:
    """What comes out of their templates is what the schema describes."""
    text = render(str(file), file.read_text(), {}).text
    assert _faults(text) == []


@pytest.mark.parametrize("name", GOOD)
def test_every_form_is_valid(name: str) -> None:
    """Short and long forms, and keys of which nothing is said."""
    assert _faults(GOOD[name]) == []


@pytest.mark.parametrize("case", FOUND_BY_SCHEMA)
def test_a_wrong_file_is_not_valid(case: str) -> None:
    """Unknown keys, names, numbers and texts of the wrong form are found, each at its place."""
    file = GOLDEN / case / "topology.yaml"
    with pytest.raises(TopologyError) as caught:
        load(file)
    found = _faults(file.read_text())
    assert sorted(found) == sorted(problem.path for problem in caught.value.problems)


@pytest.mark.parametrize("case", CASES)
def test_the_schema_finds_no_fault_that_is_none(case: str) -> None:
    """What it does not allow, `validate` does not allow either."""
    file = GOLDEN / case / "topology.yaml"
    with pytest.raises(TopologyError) as caught:
        load(file)
    try:
        found = _faults(file.read_text())
    except TopologyError:
        return  # no YAML
    if all(sign not in file.read_text() for sign in ("{{", "{%", "{#")):
        assert set(found) <= {problem.path for problem in caught.value.problems}


PARSERS: dict[str, Callable[[object], object]] = {
    "rate": parse_rate,
    "delay": parse_delay,
    "ipv4": parse_ipv4_prefix,
    "ipv6": parse_ipv6_prefix,
}
NUMBERS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,2})?", fullmatch=True)
UNITS = st.sampled_from(("", "bit", "Kbit", "mbit", "GBIT", "tbit", "ns", "us", "MS", "s", "bps"))
QUANTITIES = st.builds(
    lambda number, gap, unit: number + gap + unit, NUMBERS, st.sampled_from(("", " ")), UNITS
)
BYTES = st.integers(0, 255).map(lambda byte: f"{byte:02x}")
MACS = st.builds(
    lambda sign, bytes_: sign.join(bytes_),
    st.sampled_from(":-"),
    st.lists(BYTES, min_size=5, max_size=7),
)
ADDRESSES = st.ip_addresses().map(str) | st.ip_addresses(v=6).map(lambda ip: ip.exploded.upper())


@given(value=QUANTITIES, key=st.sampled_from(("rate", "delay")))
def test_every_quantity_that_is_read_is_valid(value: str, key: str) -> None:
    """A rate or delay that the language knows, in any spelling, is one of the schema's."""
    _check_both(f"hypervisors: {{h: {{pnics: {{e: {{{key}: {value!r}}}}}}}}}", PARSERS[key], value)


@given(value=MACS)
def test_every_mac_that_is_read_is_valid(value: str) -> None:
    """With colons or dashes; a multicast one is none of either."""
    _check_both(f"vms: {{a: {{nics: [{{mac: {value!r}}}]}}}}", parse_mac, value)


@given(value=ADDRESSES, length=st.integers(0, 128), key=st.sampled_from(("ipv4", "ipv6")))
def test_every_prefix_and_address_that_is_read_is_valid(value: str, length: int, key: str) -> None:
    """In any spelling of the address."""
    _check_both(f"networks: {{lan: {{gateway: {value!r}}}}}", parse_address, value)
    prefix = str(ip_network(f"{value}/{min(length, 32)}", strict=False))
    _check_both(f"networks: {{lan: {{{key}: {prefix!r}}}}}", PARSERS[key], prefix)


def _check_both(text: str, parse: Callable[[object], object], value: str) -> None:
    try:
        parse(value)
    except InvalidValueError:
        return
    assert _faults(text) == []


def test_every_key_has_a_description() -> None:
    """An editor shows what each key is for."""
    parts = {"File": SCHEMA} | SCHEMA["$defs"]
    silent = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, described in part["properties"].items()
        if not described.get("description")
    ]
    assert silent == []
    assert all(part["additionalProperties"] is False for part in parts.values())
