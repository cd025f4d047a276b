"""Messages are encoded as pyroute2 encodes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyroute2.netlink import NLM_F_REQUEST

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.kernel import encode, namespaces, netlink
from vnetlab.kernel.features import missing_features
from vnetlab.state.compile import compile_topology
from vnetlab.state.features import required_features
from vnetlab.topology.load import load

SHIPPED = sorted(Path(__file__).parents[2].glob("topologies/*.yaml"))


def by_pyroute2(message: Any, flags: int, sequence: int) -> bytes:
    """The same by pyroute2 alone."""
    header = message["header"]
    header["flags"] = header.get("flags", 0) | NLM_F_REQUEST | flags
    header["sequence_number"] = sequence
    message.reset()
    message.encode()
    return bytes(message.data)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_all_messages_of_a_lab_are_as_pyroute2_has_them(
    bench: Bench, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that make a shipped lab, and look at it."""
    topology = load(path)
    lacking = missing_features(required_features(compile_topology(topology)))
    if lacking:
        pytest.skip(f"this kernel has no {', '.join(feature.label for feature in lacking)}")
    compared = []

    def compare(message: Any, flags: int, sequence: int) -> bytes:
        encoded = encode.encode(message, flags, sequence)
        compared.append(type(message))
        assert encoded == by_pyroute2(message, flags, sequence), message
        return encoded

    monkeypatch.setattr(netlink, "encode", compare)
    with namespaces.away():
        namespaces.leave()
        verbs.up(topology, bench.root)
    assert compared
