"""What hops did to the packets of a probe, against what is configured: text and JSON (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from vnetlab.state.units import show_rate, show_time
from vnetlab.trace.intervals import Middle, Share
from vnetlab.trace.segments import Quantity, Segment
from vnetlab.views.columns import Column, lay_out
from vnetlab.views.terminal import DIM, RED, Terminal

_Object = dict[str, object]
_Row = tuple[Segment, Quantity, bool]


def segment_lines(segments: Iterable[Segment], terminal: Terminal) -> list[str]:
    """A row for each thing that is configured on the way, or was met there; nothing without any."""
    rows = [(it, quantity, agrees) for it in segments for quantity, agrees in it.agrees]
    if not rows:
        return []
    columns = [
        Column(title="", cells=tuple("there" if it.forward else "back" for it, _, _ in rows)),
        Column(title="hop", cells=tuple(str(it.hop) for it, _, _ in rows)),
        Column(title="what", cells=tuple(what.value for _, what, _ in rows)),
        Column(title="measured", cells=tuple(_measured(it, what) for it, what, _ in rows)),
        Column(title="95 % interval", cells=tuple(_interval(it, what) for it, what, _ in rows)),
        Column(title="configured", cells=tuple(_configured(it, what) for it, what, _ in rows)),
        Column(title="", cells=tuple("agrees" if same else "DIFFERS" for _, _, same in rows)),
    ]
    title, *lines = lay_out(columns, terminal.width)
    shown = [
        line if row[2] else terminal.paint(line, RED) for row, line in zip(rows, lines, strict=True)
    ]
    return [terminal.paint(title, DIM), *shown]


def segment_object(segment: Segment) -> _Object:
    """A segment as JSON has it; shares are from 0 to 1, intervals are [from, to]."""
    asked = segment.configured
    return {
        "leg": "there" if segment.forward else "back",
        "node": segment.hop.netns,
        "interface": segment.hop.ifname,
        "direction": segment.hop.direction,
        "delay": _middle_object(segment.delay),
        **{what.value: _share_object(_share(segment, what)) for what in _COUNTED},
        "late": _share_object(segment.reordering),
        "configured": {
            "delay_ns": asked.delay_ns,
            "jitter_ns": asked.jitter_ns,
            "rate_bit_s": asked.rate_bit_s or None,
            **{what.value: getattr(asked, what.value) for what in _COUNTED},
        },
        "agrees": {what.value: same for what, same in segment.agrees},
    }


_COUNTED = (Quantity.LOSS, Quantity.DUPLICATION, Quantity.CORRUPTION, Quantity.REORDERING)


def _share(segment: Segment, what: Quantity) -> Share | None:
    """What is compared with the setting: of reordering, the packets that were sent at once."""
    if what is Quantity.REORDERING:
        return segment.early
    share: Share = getattr(segment, what.value)
    return share


def _shown_share(segment: Segment, what: Quantity) -> Share:
    return _share(segment, what) or segment.reordering


def _measured(segment: Segment, what: Quantity) -> str:
    if what is Quantity.DELAY:
        return _time(segment.delay.median_ns) if segment.delay else ""
    share = _shown_share(segment, what)
    return f"{share.count}/{share.total} = {_percent(share.share)}"


def _interval(segment: Segment, what: Quantity) -> str:
    if what is Quantity.DELAY:
        found = segment.delay.interval_ns() if segment.delay else None
        return " - ".join(map(_time, found)) if found else "too few packets"
    return " - ".join(map(_percent, _shown_share(segment, what).interval()))


def _configured(segment: Segment, what: Quantity) -> str:
    asked = segment.configured
    if what is Quantity.DELAY:
        parts = (
            show_time(asked.delay_ns) if asked.delay_ns else "",
            f"jitter {show_time(asked.jitter_ns)}" if asked.jitter_ns else "",
            f"rate {show_rate(asked.rate_bit_s)}" if asked.rate_bit_s else "",
        )
        return " ".join(part for part in parts if part)
    return _percent(getattr(asked, what.value))


def _time(time_ns: int) -> str:
    return f"{time_ns / 1e6:.3g} ms" if time_ns >= 1_000_000 else f"{time_ns / 1e3:.3g} us"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _middle_object(times: Middle | None) -> _Object | None:
    if times is None:
        return None
    return {
        "median_ns": times.median_ns,
        "interval_ns": times.interval_ns(),
        "packets": len(times.times_ns),
    }


def _share_object(share: Share | None) -> _Object | None:
    if share is None:
        return None
    return {"count": share.count, "total": share.total, "interval": share.interval()}
