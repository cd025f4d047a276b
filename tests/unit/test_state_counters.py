"""The difference of two readings of the kernel's counters."""

from __future__ import annotations

from vnetlab.state.counters import Counter, CounterKind, Counters


def test_what_went_up_is_said_in_words() -> None:
    """What is new counts from 0, and so does what was made anew; what stayed is not spoken of."""
    queue = Counter(
        kind=CounterKind.QDISC, netns="hv1", link="eno1", subject="tbf of hv1.eno1", name="drops"
    )
    errors = Counter(kind=CounterKind.PROTOCOL, netns="db1", subject="Ip", name="InAddrErrors")
    rule = Counter(
        kind=CounterKind.RULE, netns="hv1", subject="rule 'web 1' in hv1", name="packets"
    )
    before = Counters(values={queue: 5, rule: 7})
    after = Counters(values={queue: 17, rule: 1, errors: 1})
    assert [moved.words for moved in after - before] == [
        "Ip:InAddrErrors +1 in db1",
        "tbf of hv1.eno1: +12 drops",
        "rule 'web 1' in hv1: +1 packet",
    ]
    assert after - after == ()
