"""pyroute2's messages of traffic control, with what its version 0.9 does not know of (pure).

To be imported from here alone: pyroute2 looks at a class when it is used for the first time, and
never again. Layouts: include/uapi/linux/pkt_cls.h, pkt_sched.h, tc_act/tc_police.h.
"""

from __future__ import annotations

from types import SimpleNamespace

from pyroute2.netlink import nla
from pyroute2.netlink.rtnl import tcmsg as traffic_control
from pyroute2.netlink.rtnl.tcmsg import (
    act_police,
    cls_matchall,
    cls_u32,
    sched_netem,
    sched_tbf,
    tcmsg,
)
from pyroute2.netlink.rtnl.tcmsg.common_act import tca_act_prio

__all__ = ["tcmsg"]

_ACT, _DESTINATION, _MASK, _ETH_TYPE, _VLAN = 3, 4, 5, 8, 23  # TCA_FLOWER_*
_FLOWER_KEYS = {
    _ACT: "tca_act_prio",
    _DESTINATION: "l2addr",
    _MASK: "l2addr",
    _ETH_TYPE: "be16",
    _VLAN: "uint16",
}


class _Flower(nla):  # type: ignore[misc] # pyroute2 has no types, and does not know of flower
    """The options of flower; those that vnetlab has no use for as they are."""

    prefix = "TCA_FLOWER_"
    nla_map = tuple((f"TCA_FLOWER_{n}", _FLOWER_KEYS.get(n, "hex")) for n in range(128))
    tca_act_prio = tca_act_prio


traffic_control.plugins["flower"] = SimpleNamespace(options=_Flower)
tcmsg.nla_map = (
    *tcmsg.nla_map[:9],
    ("TCA_PAD", "none"),
    ("TCA_DUMP_INVISIBLE", "none"),
    ("TCA_CHAIN", "uint32"),
)
# pyroute2 0.9 reads the keys of u32 from a wrong place, and the class of matchall backwards.
cls_u32.options.nla_map = tuple(
    (name, "hex" if name == "TCA_U32_SEL" else kind) for name, kind in cls_u32.options.nla_map
)
cls_matchall.options.nla_map = tuple(
    (name, "uint32" if name == "TCA_MATCHALL_CLASSID" else kind)
    for name, kind in cls_matchall.options.nla_map
)

act_police.options.nla_map = (
    *act_police.options.nla_map[:6],
    ("TCA_POLICE_TM", "none"),
    ("TCA_POLICE_PAD", "none"),
    ("TCA_POLICE_RATE64", "uint64"),
)


class _Fifo(nla):  # type: ignore[misc] # pyroute2 has no types
    """What pfifo and bfifo have: struct tc_fifo_qopt."""

    fields = (("limit", "I"),)


class _Prio(nla):  # type: ignore[misc] # as above
    """The start of what prio has: struct tc_prio_qopt."""

    fields = (("bands", "I"),)


traffic_control.plugins |= {
    "pfifo": SimpleNamespace(options=_Fifo),
    "bfifo": SimpleNamespace(options=_Fifo),
    "prio": SimpleNamespace(options=_Prio),
}


class _NetemSlot(nla):  # type: ignore[misc] # pyroute2 has no types
    """When netem hands on packets in bunches: struct tc_netem_slot."""

    fields = (
        ("min_delay", "q"),
        ("max_delay", "q"),
        ("max_packets", "i"),
        ("max_bytes", "i"),
        ("dist_delay", "q"),
        ("dist_jitter", "q"),
    )


sched_tbf.options.nla_map = (
    *sched_tbf.options.nla_map[:2],
    ("TCA_TBF_RTAB", "cdata"),
    ("TCA_TBF_PTAB", "cdata"),
    ("TCA_TBF_RATE64", "uint64"),
    ("TCA_TBF_PRATE64", "uint64"),
)
"""Rates above 34 Gbit/s have attributes of their own, which pyroute2 0.9 does not list."""

sched_netem.options.nla_map = (
    *sched_netem.options.nla_map[:5],
    ("TCA_NETEM_LOSS", "hex"),
    ("TCA_NETEM_RATE", "netem_rate"),
    ("TCA_NETEM_ECN", "uint32"),
    ("TCA_NETEM_RATE64", "uint64"),
    ("TCA_NETEM_PAD", "none"),
    ("TCA_NETEM_LATENCY64", "int64"),
    ("TCA_NETEM_JITTER64", "int64"),
    ("TCA_NETEM_SLOT", "netem_slot"),
)
sched_netem.options.netem_slot = _NetemSlot
"""Attributes of which pyroute2 0.9 does not know: what somebody may set by hand."""
