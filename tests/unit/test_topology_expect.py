"""`expect`: from an arrow to what is to be probed."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_topology_load import load_text
from vnetlab.topology.expectations import PROTOCOLS, format_expectation, parse_expectation
from vnetlab.topology.store import dump, parse
from vnetlab.topology.topology import Expectation
from vnetlab.topology.wording import InvalidValueError

LAB = """
networks: {web: {vlan: 10}, db: {vlan: 20}}
vms: {web: {count: 2, nics: [web]}, db1: {nics: [db]}}
routers: {gw: }
groups: {all: [web, db1, tor1]}
expect:
"""


def expectation(tmp_path: Path, text: str) -> Expectation:
    """The only one of a lab with web1, web2, db1, gw."""
    lab = load_text(tmp_path, f"{LAB}  - {text}\n")
    assert parse(dump(lab)) == lab
    (found,) = lab.expectations
    return found


def test_an_arrow_is_an_echo_that_arrives(tmp_path: Path) -> None:
    """Without more, `A -> B` is ICMP by whatever way."""
    assert expectation(tmp_path, "web1 -> db1") == Expectation(
        text="web1 -> db1",
        sources=("web1",),
        destinations=("db1",),
        protocol="icmp",
        port=None,
        via=(),
        blocked=False,
    )


def test_the_long_form_says_the_same(tmp_path: Path) -> None:
    """Text and mapping are two ways to write one thing, and it has one text."""
    short = expectation(tmp_path, "web1   -x-  db1 tcp/22 via gw,tor1")
    long = "{from: web1, to: db1, proto: tcp, port: 22, via: [gw, tor1], blocked: true}"
    assert expectation(tmp_path, long) == short
    assert short.text == "web1 -x- db1 tcp/22 via gw, tor1"
    assert (short.blocked, short.via) == (True, ("gw", "tor1"))


def test_a_group_is_its_nodes_that_can_answer(tmp_path: Path) -> None:
    """A switch in a group is none of them."""
    found = expectation(tmp_path, "all -> web udp")
    assert found.sources == ("web1", "web2", "db1")
    assert found.destinations == ("web1", "web2")


@pytest.mark.parametrize("address", ["10.0.20.1", "192.0.2.1", "fd00::1"])
def test_an_address_is_a_destination(tmp_path: Path, address: str) -> None:
    """Also one that is nowhere in the lab."""
    assert expectation(tmp_path, f"web1 -x- {address} udp/53").destinations == (address,)


NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)


@given(
    source=NAMES,
    destination=NAMES,
    protocol=st.sampled_from(PROTOCOLS),
    port=st.none() | st.integers(1, 65535),
    via=st.lists(NAMES, max_size=3),
    blocked=st.booleans(),
)
def test_the_text_of_an_expectation_can_be_read(
    source: str, destination: str, protocol: str, port: int | None, via: list[str], blocked: bool
) -> None:
    """What is written into the short form comes out of it."""
    text = format_expectation(
        source, destination, protocol=protocol, port=port, via=", ".join(via), blocked=blocked
    )
    read = parse_expectation(text)
    assert (read["from"], read["to"], read["blocked"]) == (source, destination, blocked)
    assert read.get("proto", "icmp") == protocol
    assert read.get("port") == port
    assert read.get("via", []) == via


@given(text=st.text(alphabet="ab-x> ,/ia1tcpv", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but InvalidValueError comes out."""
    with suppress(InvalidValueError):
        parse_expectation(text)
