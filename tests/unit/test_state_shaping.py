"""Queueing disciplines for rates and delays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vnetlab.state.objects import LinkId
from vnetlab.state.shaping import NETEM_HANDLE, ROOT, TBF_HANDLE, TICK_NS, limit, shape
from vnetlab.topology.cables import Shaping
from vnetlab.topology.limits import Limit

LINK = LinkId(netns="hv1", name="eno1")
FULL_SIZE = 65536  # bytes of the largest packet that a virtual link is given, GSO and all


def test_nothing_asked_is_nothing_made() -> None:
    """A link without rate and delay keeps the kernel's default."""
    assert shape(LINK, Shaping()) == ()


def test_one_of_them_is_the_root() -> None:
    """A rate alone and a delay alone both stand at the root."""
    (rate,) = shape(LINK, Shaping(rate_bit_s=10**6))
    (delay,) = shape(LINK, Shaping(delay_ns=10**6))
    assert (rate.kind, rate.parent, rate.handle) == ("tbf", ROOT, TBF_HANDLE)
    assert (delay.kind, delay.parent, delay.handle) == ("netem", ROOT, NETEM_HANDLE)


def test_the_rate_stands_below_the_delay() -> None:
    """The parent comes first, and its handle is the lower one: plans are ordered by it."""
    delay, rate = shape(LINK, Shaping(rate_bit_s=10**6, delay_ns=10**6))
    assert (delay.kind, rate.kind) == ("netem", "tbf")
    assert rate.parent >> 16 == delay.handle >> 16
    assert delay.handle < rate.handle


@given(delay_ns=st.integers(1, 100 * 10**9))
def test_a_delay_is_as_long_as_asked_for(delay_ns: int) -> None:
    """And so is what it varies by: netem takes nanoseconds."""
    (netem,) = shape(LINK, Shaping(delay_ns=delay_ns, jitter_ns=delay_ns))
    options = dict(netem.options)
    assert options["delay_ns"] == options["jitter_ns"] == delay_ns


RATES = st.integers(8000, 10**13)  # what a topology may say
LARGEST_U32 = 0xFFFF_FFFF


@given(rate_bit_s=RATES)
def test_a_rate_has_a_bucket_and_a_queue_that_packets_fit(rate_bit_s: int) -> None:
    """At any rate some full-size packets fit the bucket, and as many bytes more the queue."""
    (tbf,) = shape(LINK, Shaping(rate_bit_s=rate_bit_s))
    options = dict(tbf.options)
    bucket = options["burst_ns"] * options["rate_bit_s"] // 8 // 10**9
    assert bucket >= 16 * 1024 - 1
    assert options["limit_bytes"] >= bucket + FULL_SIZE


@given(rate_bit_s=RATES)
def test_a_rate_is_one_that_the_kernel_can_keep(rate_bit_s: int) -> None:
    """It counts whole bytes per second; bucket and queue fit its 32 bits."""
    (tbf,) = shape(LINK, Shaping(rate_bit_s=rate_bit_s))
    options = dict(tbf.options)
    assert 0 <= rate_bit_s - options["rate_bit_s"] < 8
    assert options["burst_ns"] % TICK_NS == 0
    assert options["burst_ns"] // TICK_NS <= LARGEST_U32
    assert options["limit_bytes"] <= LARGEST_U32


def test_a_share_is_a_probability_of_the_kernel() -> None:
    """All is the largest u32 and nothing none at all; packets overtake others one by one."""
    (netem,) = shape(LINK, Shaping(loss_ppm=10**6, delay_ns=10**6, reordering_ppm=500_000))
    options = dict(netem.options)
    assert (options["loss_u32"], options["reordering_gap_packets"]) == (LARGEST_U32, 1)
    assert abs(options["reordering_u32"] * 2 - LARGEST_U32) <= 1
    assert "corruption_u32" not in options


def test_a_loss_alone_needs_netem() -> None:
    """Without a delay too."""
    (netem,) = shape(LINK, Shaping(loss_ppm=1))
    assert (netem.kind, dict(netem.options)["delay_ns"]) == ("netem", 0)


@given(rate_bit_s=RATES, burst_bytes=st.integers(100, 10**6))
def test_a_burst_is_never_smaller_than_asked_for(rate_bit_s: int, burst_bytes: int) -> None:
    """It is a time in the kernel, rounded up to its ticks; the queue comes on top."""
    asked = Shaping(rate_bit_s=rate_bit_s, burst_bytes=burst_bytes, queue_bytes=5000)
    (tbf,) = shape(LINK, asked)
    options = dict(tbf.options)
    held = options["burst_ns"] * options["rate_bit_s"] // 8 // 10**9
    assert held >= burst_bytes
    assert options["limit_bytes"] == held + 5000


@given(average=RATES, peak=st.none() | RATES, burst_bytes=st.none() | st.integers(100, 10**6))
def test_a_limit_has_a_bucket_for_its_peak_too(
    average: int, peak: int | None, burst_bytes: int | None
) -> None:
    """It stands alone at the root; full-size packets fit what may go at the peak."""
    allowed = Limit(average_bit_s=average, peak_bit_s=peak, burst_bytes=burst_bytes)
    qdisc = limit(LINK, allowed)
    options = dict(qdisc.options)
    assert (qdisc.kind, qdisc.parent) == ("tbf", ROOT)
    assert ("peak_bit_s" in options) == (peak is not None)
    if peak is not None:
        held = options["peak_burst_ns"] * options["peak_bit_s"] // 8 // 10**9
        assert held >= 16 * 1024 - 1
        assert options["peak_burst_ns"] // TICK_NS <= LARGEST_U32
