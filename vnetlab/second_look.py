"""EFFECT: a probe that was lost is sent again, while the kernel is asked what it does with it.

The counters of the namespaces on its way are read around it, nftables traces it, and where the
kernel reports drops, those are listened to. A probe that arrives costs nothing of this. Neighbours
that did not answer are asked for once more, so that the loss of a question shows as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from secrets import randbits

from msgspec.structs import replace

from vnetlab.diagnosis.physical import Physical
from vnetlab.errors import KernelRefusedError, MissingFeatureError
from vnetlab.kernel.counters import read_counters
from vnetlab.kernel.drop_monitor import DropMonitor, watched_drops
from vnetlab.kernel.forget import forget_unanswered
from vnetlab.kernel.labdir import LabDir
from vnetlab.kernel.nft_trace import RuleTrace, trace_rules
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import Observed, observe
from vnetlab.state.counters import CounterKind, Moved
from vnetlab.state.diff import Change, diff_states
from vnetlab.state.objects import Namespace, State
from vnetlab.state.outside import HOST
from vnetlab.trace.drops import Drop
from vnetlab.trace.path import watched_namespaces
from vnetlab.trace.trace import Trace, trace_probe
from vnetlab.wire.marker import MASK, RANDOM_BITS, Marker
from vnetlab.wire.probe import run_probe

_COUNT = 3
_TIMEOUT_NS = 200_000_000
_QUIET_S = 0.01


def look_again(
    name: str,
    root: Path,
    trace: Trace,
    before: State,
    namespaces: Collection[str],
    *,
    way_ns: int,
) -> Physical:
    """Send the probe of `trace` again and return what the kernel says of it in `namespaces`.

    `before` is the lab's State when the first one was sent; `way_ns` is how long its packets
    may take to get there and back. Raises ProbeError if the probe cannot
    be watched, KernelRefusedError if the kernel refuses a dump.
    """
    marker = Marker(randbits(RANDOM_BITS))
    count = min(trace.request.count, _COUNT)
    request = replace(trace.request, count=count, timeout_ns=_TIMEOUT_NS + way_ns)
    lab = LabDir(root, name)
    with lab.locked(shared=True), Nodes(lab) as nodes, ExitStack() as stack:
        keys = [item.id for item in before.sysctls]
        observed = observe(nodes, sysctl_keys=keys, outside=lab.knows_host)
        inside = [name for name in namespaces if name != HOST]
        forget_unanswered(nodes, inside)
        rules = _trace(stack, nodes, observed, inside, marker)
        reports = _watch(stack)
        counted = read_counters(nodes, observed, inside)
        watched = watched_namespaces(observed.state, trace.forward, trace.back)
        seen = run_probe(request, watched, nodes.enter, marker=marker)
        moved = read_counters(nodes, observed, inside) - counted
        path = frozenset(hop.link_id for hop in (*trace.forward.hops, *trace.back.hops))
        words = [marker.word(number).to_bytes(4) for number in range(count)]
        words += {p.loss.target.packed for p in trace.packets if p.loss and p.loss.target}
        indexes = {0, *(observed.indexes[link] for link in path if link in observed.indexes)}
        drops = reports.read(_QUIET_S) if reports else ()
        again = trace_probe(request, seen, observed.state, trace.forward, trace.back)
        return Physical(
            sent=count,
            replied=again.replied,
            moved=tuple(it for it in moved if _is_telling(it, observed)),
            traced=tuple(rules.read()) if rules else (),
            drops=tuple(_own(drops, words, indexes)),
            changes=_changes(before, observed.state, namespaces),
            path=frozenset((link.netns, link.name) for link in path),
        )


def _trace(
    stack: ExitStack, nodes: Nodes, observed: Observed, netns: Collection[str], marker: Marker
) -> RuleTrace | None:
    """None where the kernel does not trace."""
    try:
        return stack.enter_context(
            trace_rules(nodes, observed, netns, value=marker.value, mask=MASK)
        )
    except KernelRefusedError:
        return None


def _watch(stack: ExitStack) -> DropMonitor | None:
    """None where the kernel does not report drops, or not to us."""
    try:
        return stack.enter_context(watched_drops())
    except MissingFeatureError:
        return None


def _own(
    drops: Iterable[Drop], words: Collection[bytes], indexes: Collection[int]
) -> Iterator[Drop]:
    """Those of packets with one of the words, a marker or the address asked for, on the path."""
    for drop in drops:
        if drop.index in indexes and any(word in drop.payload for word in words):
            yield drop


def _is_telling(moved: Moved, observed: Observed) -> bool:
    """Of the rules of nftables, those that drop or reject what they match."""
    counter = moved.counter
    if counter.kind is not CounterKind.RULE or counter.item is None:
        return True
    chain = next((it for it in observed.state.nft_chains if it.id == counter.item[1]), None)
    if chain is None:
        return False
    rule = chain.rules[observed.rule_handles[chain.id].index(int(counter.place[-1]))]
    return rule.stops


def _changes(before: State, after: State, namespaces: Collection[str]) -> tuple[Change, ...]:
    """What changed in these namespaces, or came and went of them as a whole."""
    changes = diff_states(desired=after, observed=before)
    return tuple(
        change
        for change in changes
        if isinstance(change.subject, Namespace) or change.subject.netns in namespaces
    )
