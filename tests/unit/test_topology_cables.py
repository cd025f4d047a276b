"""Cables: what both directions do, and what one does otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from vnetlab.topology.cables import Cable, Shaping
from vnetlab.topology.load import load
from vnetlab.topology.quantities import parse_share, parse_size
from vnetlab.topology.store import dump, parse
from vnetlab.topology.wording import InvalidValueError

EVERYTHING = """
networks: {lan: {vlan: 10, mtu: 1400}}
hypervisors:
  hv1:
    pnics:
      eno1:
        {to: tor1, rate: 1gbit, burst: 64kb, queue: 200kb, delay: 200us, jitter: 20us, loss: 0.1%,
         corruption: 0.01%, duplication: 0.2%, reordering: 1%, mtu: 9000, vlans: [10], native: 10,
         out: {delay: 1ms}, in: {rate: 100mbit, queue: 0.5mib}}
"""


def pnic_cable(tmp_path: Path, keys: str) -> Cable:
    """The cable of a pNIC that has `keys`."""
    path = tmp_path / "lab.yaml"
    path.write_text(f"hypervisors: {{hv1: {{pnics: {{eno1: {{{keys}}}}}}}}}\nvms: {{a: }}")
    return load(path).hypervisors[0].pnics[0].cable


def test_every_key_of_a_cable_is_resolved(tmp_path: Path) -> None:
    """In the units of their names, and each direction with its own values over the common ones."""
    path = tmp_path / "lab.yaml"
    path.write_text(EVERYTHING)
    topology = load(path)
    (pnic,) = topology.hypervisors[0].pnics
    assert (pnic.vlans, pnic.native, pnic.cable.mtu) == ((10,), 10, 9000)
    common = {
        "burst_bytes": 64000,
        "jitter_ns": 20_000,
        "loss_ppm": 1000,
        "corruption_ppm": 100,
        "duplication_ppm": 2000,
        "reordering_ppm": 10_000,
    }
    assert pnic.cable.outbound == Shaping(
        rate_bit_s=10**9, queue_bytes=200_000, delay_ns=1_000_000, **common
    )
    assert pnic.cable.inbound == Shaping(
        rate_bit_s=10**8, queue_bytes=512 * 1024, delay_ns=200_000, **common
    )
    assert parse(dump(topology)) == topology


def test_a_direction_may_say_that_it_does_nothing(tmp_path: Path) -> None:
    """Zero wins over what the cable says."""
    cable = pnic_cable(tmp_path, "loss: 1%, delay: 1ms, out: {loss: 0, delay: 0}")
    assert (cable.outbound, cable.inbound.loss_ppm) == (Shaping(), 10_000)


def test_a_queue_for_both_may_have_a_rate_in_one_direction_alone(tmp_path: Path) -> None:
    """In the other it means nothing, and is nothing."""
    cable = pnic_cable(tmp_path, "queue: 200kb, out: {rate: 1mbit}")
    assert (cable.outbound.queue_bytes, cable.inbound) == (200_000, Shaping())


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("1b", 1),
        ("64kb", 64_000),
        ("1.5 MB", 1_500_000),
        ("2kib", 2048),
        ("0.5mib", 524_288),
        (9, 9),
    ],
)
def test_a_size_is_in_bytes(text: object, size_bytes: int) -> None:
    """`kb` is 1000 of them, `kib` 1024."""
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["0", "64kbit", "1gb", "0.5b", "-1kb", "", None, True, "2000mb"])
def test_what_is_no_size_is_refused(text: object) -> None:
    """Bits, fractions of bytes, nothing, and more than the kernel can count."""
    with pytest.raises(InvalidValueError):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "share_ppm"), [("0.1%", 1000), ("100%", 10**6), ("0.0001 %", 1), (0, 0), ("0%", 0)]
)
def test_a_share_is_in_per_cent(text: object, share_ppm: int) -> None:
    """And is kept in millionths."""
    assert parse_share(text) == share_ppm


@pytest.mark.parametrize("text", ["0.00001%", "101%", "0.1", "-1%", "1ppm", "", None, True])
def test_what_is_no_share_is_refused(text: object) -> None:
    """A number without a sign may mean a fraction or per cent."""
    with pytest.raises(InvalidValueError):
        parse_share(text)
