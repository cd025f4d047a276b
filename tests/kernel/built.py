"""One namespace of a lab that becomes whatever objects a test gives, in one plan."""

from __future__ import annotations

from collections.abc import Callable

from tests.kernel.conftest import Bench
from vnetlab.kernel.apply import apply
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.diff import diff_states
from vnetlab.state.guards import with_given_rules
from vnetlab.state.objects import Object, State, collect
from vnetlab.state.plan import order_changes
from vnetlab.state.show import describe_change

InNode = Callable[..., str]


class Built:
    """The namespaces of a lab, which become what they are told to."""

    def __init__(self, bench: Bench, *objects: Object) -> None:
        self._bench = bench
        with bench.lab().locked():
            bench.lab().create()
        self.become(*objects)

    def observe(self) -> State:
        """All that is there."""
        with Nodes(self._bench.lab()) as nodes:
            return observe(nodes).state

    def become(self, *objects: Object) -> list[str]:
        """Make one plan of it, carry it out, and return what was changed in words."""
        with Nodes(self._bench.lab()) as nodes:
            observed = observe(nodes)
            changes = diff_states(
                desired=with_given_rules(collect(objects)), observed=observed.state
            )
            apply(order_changes(changes), nodes, observed)
        return sorted(describe_change(change) for change in changes)

    def check(self, *objects: Object) -> None:
        """Fail with what differs from `objects`."""
        changes = diff_states(desired=with_given_rules(collect(objects)), observed=self.observe())
        assert [describe_change(change) for change in changes] == []
