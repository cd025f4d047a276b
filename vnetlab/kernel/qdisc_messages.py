"""Queueing disciplines as traffic-control messages, and the options in their replies (pure).

Layouts: include/uapi/linux/pkt_sched.h; net/sched/sch_netem.c, sch_tbf.c.

An option that a change does not speak of stays as it was, so each is spoken of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyroute2.netlink import NLM_F_CREATE, NLM_F_REPLACE
from pyroute2.netlink.rtnl import RTM_DELQDISC, RTM_NEWQDISC

from vnetlab.kernel.traffic_control import tcmsg
from vnetlab.state.objects import Qdisc
from vnetlab.state.shaping import TICK_NS

_LARGEST_U32 = 0xFFFF_FFFF


_CELL_LOG = 8
_NO_TABLE = bytes(4 * 256)
"""The times that packets of 256 sizes take: the kernel asks for the table, and computes itself
(net/sched/sch_api.c, qdisc_get_rtab; a first entry of zero says Ethernet)."""


def qdisc(item: Qdisc, index: int, *, remove: bool = False) -> Any:
    """A qdisc; one of the same kind and handle that is there is changed in place."""
    message = tcmsg()
    message["header"]["type"] = RTM_DELQDISC if remove else RTM_NEWQDISC
    message["header"]["flags"] = 0 if remove else NLM_F_CREATE | NLM_F_REPLACE
    message["index"] = index
    message["handle"] = item.handle
    message["parent"] = item.parent
    message["attrs"] = [("TCA_KIND", item.kind)]
    if not remove and item.kind in _ENCODERS:
        options = _ENCODERS[item.kind](dict(item.options))
        message["attrs"].append(("TCA_OPTIONS", options))
    return message


def qdisc_options(reply: Any) -> dict[str, int]:
    """The options of a qdisc that the kernel tells of, by the names of `Qdisc.options`."""
    options = reply.get_attr("TCA_OPTIONS")
    decode = _DECODERS.get(reply.get_attr("TCA_KIND"))
    return decode(options) if decode else {}


def _encode_netem(options: dict[str, int]) -> Any:
    corruption, reordering = options.get("corruption_u32", 0), options.get("reordering_u32", 0)
    return {
        "delay": options["delay_ns"] // TICK_NS,
        "limit": options["limit_packets"],
        "loss": options.get("loss_u32", 0),
        "gap": options.get("reordering_gap_packets", 0),
        "duplicate": options.get("duplication_u32", 0),
        "jitter": options.get("jitter_ns", 0) // TICK_NS,
        "attrs": [
            ("TCA_NETEM_CORR", {"delay_corr": 0, "loss_corr": 0, "dup_corr": 0}),
            ("TCA_NETEM_REORDER", {"prob_reorder": reordering, "corr_reorder": 0}),
            ("TCA_NETEM_CORRUPT", {"prob_corrupt": corruption, "corr_corrupt": 0}),
            ("TCA_NETEM_RATE", {"rate": 0}),
            ("TCA_NETEM_ECN", 0),
            ("TCA_NETEM_LATENCY64", options["delay_ns"]),
            ("TCA_NETEM_JITTER64", options.get("jitter_ns", 0)),
            ("TCA_NETEM_SLOT", {"max_packets": 0}),
        ],
    }


def _decode_netem(options: Any) -> dict[str, int]:
    """Its options, without those that are zero: most of them are for somebody's own doings."""
    correlation = options.get_attr("TCA_NETEM_CORR") or {}
    reordering = options.get_attr("TCA_NETEM_REORDER") or {}
    corruption = options.get_attr("TCA_NETEM_CORRUPT") or {}
    rate = options.get_attr("TCA_NETEM_RATE") or {}
    found = {
        "jitter_ns": _exact(options, "JITTER64", options["jitter"]),
        "loss_u32": options["loss"],
        "duplication_u32": options["duplicate"],
        "reordering_u32": reordering.get("prob_reorder", 0),
        "reordering_gap_packets": options["gap"],
        "corruption_u32": corruption.get("prob_corrupt", 0),
        "delay_correlation_u32": correlation.get("delay_corr", 0),
        "loss_correlation_u32": correlation.get("loss_corr", 0),
        "duplication_correlation_u32": correlation.get("dup_corr", 0),
        "reordering_correlation_u32": reordering.get("corr_reorder", 0),
        "corruption_correlation_u32": corruption.get("corr_corrupt", 0),
        "rate_bit_s": (options.get_attr("TCA_NETEM_RATE64") or rate.get("rate", 0)) * 8,
        "rate_overhead_bytes": rate.get("packet_overhead", 0),
        "ecn": options.get_attr("TCA_NETEM_ECN") or 0,
        "loss_model": int(options.get_attr("TCA_NETEM_LOSS") is not None),
        "slots": int(options.get_attr("TCA_NETEM_SLOT") is not None),
    }
    always = {
        "delay_ns": _exact(options, "LATENCY64", options["delay"]),
        "limit_packets": options["limit"],
    }
    return always | {name: value for name, value in found.items() if value}


def _exact(options: Any, name: str, ticks: int) -> int:
    """A duration in nanoseconds; kernels before 4.16 have no more than ticks of it."""
    exact = options.get_attr(f"TCA_NETEM_{name}")
    return ticks * TICK_NS if exact is None else int(exact)


def _encode_tbf(options: dict[str, int]) -> Any:
    rate, peak = options["rate_bit_s"] // 8, options.get("peak_bit_s", 0) // 8
    parameters = {
        "rate": min(rate, _LARGEST_U32),
        "buffer": options["burst_ns"] // TICK_NS,
        "limit": options["limit_bytes"],
        "peak": min(peak, _LARGEST_U32),
        "mtu": options.get("peak_burst_ns", 0) // TICK_NS,
        "rate_cell_log": _CELL_LOG,
        "peak_cell_log": _CELL_LOG,
    }
    attrs: list[tuple[str, Any]] = [("TCA_TBF_PARMS", parameters), ("TCA_TBF_RTAB", _NO_TABLE)]
    if rate > _LARGEST_U32:
        attrs.append(("TCA_TBF_RATE64", rate))
    if peak:
        attrs.append(("TCA_TBF_PTAB", _NO_TABLE))
    if peak > _LARGEST_U32:
        attrs.append(("TCA_TBF_PRATE64", peak))
    return {"attrs": attrs}


def _decode_tbf(options: Any) -> dict[str, int]:
    parameters = options.get_attr("TCA_TBF_PARMS")
    found = {
        "peak_bit_s": (options.get_attr("TCA_TBF_PRATE64") or parameters["peak"]) * 8,
        "peak_burst_ns": parameters["mtu"] * TICK_NS,
        "overhead_bytes": parameters["rate_overhead"],
        "smallest_bytes": parameters["rate_mpu"],
    }
    always = {
        "burst_ns": parameters["buffer"] * TICK_NS,
        "limit_bytes": parameters["limit"],
        "rate_bit_s": (options.get_attr("TCA_TBF_RATE64") or parameters["rate"]) * 8,
    }
    return always | {name: value for name, value in found.items() if value}


_ENCODERS = {"netem": _encode_netem, "tbf": _encode_tbf}
_DECODERS: dict[str, Callable[[Any], dict[str, int]]] = {
    "netem": _decode_netem,
    "tbf": _decode_tbf,
    "pfifo": lambda options: {"limit_packets": options["limit"]},
    "bfifo": lambda options: {"limit_bytes": options["limit"]},
    "htb": lambda options: {"default_class": options.get_attr("TCA_HTB_INIT")["defcls"]},
    "prio": lambda options: {"bands": options["bands"]},
}
