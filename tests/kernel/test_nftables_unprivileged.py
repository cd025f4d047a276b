"""nftables by root of a user namespace, whose sockets hold what net.core.wmem_max allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.conftest import INSIDE, Bench
from vnetlab import lab as verbs
from vnetlab.errors import KernelRefusedError
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.realm.rootless.user_namespace import call_in_new

pytestmark = pytest.mark.needs("veth", "bridge", "nftables-inet", "conntrack")

_WMEM_MAX = Path("/proc/sys/net/core/wmem_max")
_LIMIT_BYTES = 20_000
_LAB = """
networks: {{lan: {{ipv4: 10.0.0.0/24}}}}
vms: {{a: {{firewall: {{input: [{rules}]}}}}, b: }}
"""


def _lab(first: int, count: int) -> str:
    """A VM whose firewall has `count` rules, each for a port of its own."""
    return _LAB.format(rules=", ".join(f"tcp/{first + n}" for n in range(count)))


@pytest.fixture
def unprivileged() -> Iterator[Callable[[Callable[[], list[str]]], list[str]]]:
    """Have a function run by root of a user namespace, who may not set any buffer's size.

    The limit is lower than any machine's, so that a few rules exceed it.
    """
    usual = _WMEM_MAX.read_text()
    if not INSIDE and int(usual) > _LIMIT_BYTES:
        pytest.skip(f"{_WMEM_MAX} is not {_LIMIT_BYTES}, and this kernel is not ours to change")
    _WMEM_MAX.write_text(str(_LIMIT_BYTES))

    def run(function: Callable[[], list[str]]) -> list[str]:
        said = call_in_new(function)
        assert isinstance(said, list), said
        return said

    yield run
    _WMEM_MAX.write_text(usual)


def _left(bench: Bench, text: str) -> list[str]:
    return [str(change) for change in bench.plan(text).changes]


def test_more_rules_than_a_socket_holds_are_made_all_the_same(
    bench: Bench, unprivileged: Callable[[Callable[[], list[str]]], list[str]]
) -> None:
    """A new table is filled while it sleeps, and is awake in the end; an edit is as ever."""
    text = _lab(1, 500)

    def build() -> list[str]:
        bench.up(text)
        said = _left(bench, text)
        bench.up(_lab(1, 501))
        return said + _left(bench, _lab(1, 501))

    assert unprivileged(build) == []


def test_an_edit_too_large_for_one_transaction_is_refused_and_restart_makes_it(
    bench: Bench, unprivileged: Callable[[Callable[[], list[str]]], list[str]]
) -> None:
    """No packet meets half of it: the old rules stay until the node begins anew."""
    old, new = _lab(1, 2), _lab(10_000, 500)

    def edit() -> list[str]:
        bench.up(old)
        before = observe_chains(bench)
        try:
            bench.up(new)
        except KernelRefusedError as error:
            said = [str(error)]
        assert observe_chains(bench) == before
        verbs.restart("bench", "a", bench.root)
        return said + _left(bench, new)

    (message,) = unprivileged(edit)
    assert message == (
        "a: that change of its nftables is too large for one transaction; "
        "'vnetlab restart a', which begins anew, or raise net.core.wmem_max, as root"
    )


def observe_chains(bench: Bench) -> frozenset[object]:
    """The nftables chains of the lab."""
    with Nodes(bench.lab()) as nodes:
        return frozenset(observe(nodes).state.nft_chains)
