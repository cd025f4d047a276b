"""What a qdisc does in the words of the topology language: `rate 1gbit`, `loss 0.1%` (pure)."""

from __future__ import annotations

from vnetlab.state.objects import Qdisc
from vnetlab.state.shaping import CERTAIN, bucket
from vnetlab.state.units import show_rate, show_time

_NAMES = {"limit_packets": "queue limit", "peak_burst_ns": "burst at the peak"}


def qdisc_settings(qdisc: Qdisc) -> dict[str, str]:
    """The options of `qdisc`, each with its value in words."""
    options = dict(qdisc.options)
    found: dict[str, str] = {}
    if qdisc.kind == "tbf":
        # The topology has bytes, and counts those that wait without those that may go at once.
        rate_bit_s, limit_bytes = options.pop("rate_bit_s"), options.pop("limit_bytes")
        burst_bytes = bucket(rate_bit_s // 8, options.pop("burst_ns"))
        found["rate"] = show_rate(rate_bit_s)
        found["burst"] = f"{burst_bytes} bytes"
        found["queue"] = f"{limit_bytes - burst_bytes} bytes"
    if options.get("reordering_gap_packets") == 1:
        del options["reordering_gap_packets"]  # what reordering means without more words
    return found | dict(_setting(name, value) for name, value in options.items())


def _setting(name: str, value: int) -> tuple[str, str]:
    """An option in words: the end of its name is its unit."""
    what, _, unit = name.rpartition("_")
    match unit:
        case "u32":
            shown = f"{value / CERTAIN * 100:.6g}%"
        case "ns":
            shown = show_time(value)
        case "s":
            what, shown = what.removesuffix("_bit"), show_rate(value)
        case "bytes" | "packets":
            shown = f"{value} {unit}"
        case _:
            what, shown = name, str(value)
    return _NAMES.get(name, what.replace("_", " ")), shown
