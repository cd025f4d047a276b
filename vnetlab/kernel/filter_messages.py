"""Filters as traffic-control messages, and read from them (pure).

Layouts: include/uapi/linux/pkt_cls.h, tc_act/tc_mirred.h, tc_act/tc_vlan.h, tc_act/tc_gact.h.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from socket import htons, ntohs
from typing import Any

from msgspec.structs import replace
from pyroute2.netlink import NLM_F_CREATE
from pyroute2.netlink.rtnl import RTM_DELTFILTER, RTM_GETTFILTER, RTM_NEWTFILTER

from vnetlab.kernel.messages import Indexes
from vnetlab.kernel.traffic_control import tcmsg
from vnetlab.state.filters import ETH_P_ALL, Action, Filter, action
from vnetlab.state.objects import LinkId
from vnetlab.state.shaping import TICK_NS

_ACT, _DESTINATION, _MASK, _ETH_TYPE, _FLAGS, _VLAN = 3, 4, 5, 8, 22, 23
_HARDWARE_COUNT = 86
_EVERY_BIT = "ff:ff:ff:ff:ff:ff"
_LARGEST_U32 = 0xFFFF_FFFF

_VERDICTS = {"continue": -1, "pass": 0, "reclassify": 1, "drop": 2, "pipe": 3}
_VERDICT_NAMES = {number: name for name, number in _VERDICTS.items()}
_MODES = {1: "redirect_to", 2: "mirror_to", 3: "redirect_into", 4: "mirror_into"}
_MODE_NUMBERS = {name: number for number, name in _MODES.items()}
_VLAN_MODES = {1: "pop", 2: "push", 3: "modify"}
_VLAN_MODE_NUMBERS = {name: number for number, name in _VLAN_MODES.items()}

_ACTIONS = {
    "flower": f"TCA_FLOWER_{_ACT}",
    "matchall": "TCA_MATCHALL_ACT",
    "u32": "TCA_U32_ACT",
    "basic": "TCA_BASIC_ACT",
}
_U32_SELECTOR_BYTES = 16
_U32_KEY = struct.Struct("=4s4sii")  # struct tc_u32_key


def make_filter(item: Filter, indexes: Indexes) -> Any:
    """A filter; one that takes the same frames and is there already gets its actions."""
    message = _message(RTM_NEWTFILTER, item, indexes)
    message["header"]["flags"] = NLM_F_CREATE
    message["handle"] = item.handle
    options = list(_matches(item))
    actions = [_encode_action(it, item.netns, indexes) for it in item.actions]
    numbered = [(f"TCA_ACT_PRIO_{i}", encoded) for i, encoded in enumerate(actions, start=1)]
    options.append((f"TCA_FLOWER_{_ACT}", {"attrs": numbered}))
    message["attrs"] += [("TCA_KIND", item.kind), ("TCA_OPTIONS", {"attrs": options})]
    return message


def remove_filter(item: Filter, indexes: Indexes) -> Any:
    """All that has the priority of a filter at its place."""
    return _message(RTM_DELTFILTER, item, indexes)


def get_filters(index: int, parent: int) -> Any:
    """Ask for the filters of one hook."""
    message = tcmsg()
    message["header"]["type"] = RTM_GETTFILTER
    message["index"] = index
    message["parent"] = parent
    return message


def read_filters(
    netns: str, parent: int, replies: Iterable[Any], names: Mapping[int, str]
) -> Iterator[Filter]:
    """The filters that the kernel lists for one hook: one for each priority."""
    listed = sorted((reply for reply in replies if _is_filter(reply)), key=_place)
    for _, same in groupby(listed, key=_place):
        first, *others = same
        item = _read_filter(netns, parent, first, names)
        yield replace(item, handle=0) if others else item


def read_each_filter(
    netns: str, parent: int, replies: Iterable[Any], names: Mapping[int, str]
) -> Iterator[Filter]:
    """Every filter that the kernel lists for one parent, in the order in which it asks them."""
    for reply in sorted((reply for reply in replies if _is_filter(reply)), key=_place):
        yield _read_filter(netns, parent, reply, names)


def _is_filter(reply: Any) -> bool:
    """Whether it is one: the kernel lists chains, priorities and tables of u32 between them."""
    if not reply["handle"]:
        return False
    options = reply.get_attr("TCA_OPTIONS")
    return reply.get_attr("TCA_KIND") != "u32" or bool(options and options.get_attr("TCA_U32_SEL"))


def _read_filter(netns: str, parent: int, reply: Any, names: Mapping[int, str]) -> Filter:
    kind = reply.get_attr("TCA_KIND")
    options = reply.get_attr("TCA_OPTIONS")
    known = options if kind in _MATCHES else None
    chain, priority = _place(reply)
    return Filter(
        netns=netns,
        link=names[reply["index"]],
        parent=parent,
        priority=priority,
        protocol=ntohs(reply["info"] & 0xFFFF),
        kind=kind,
        matches=tuple(sorted(_MATCHES[kind](known))) if known else (),
        actions=tuple(_read_actions(known.get_attr(_ACTIONS[kind]), names)) if known else (),
        handle=reply["handle"],
        chain=chain,
    )


def _place(reply: Any) -> tuple[int, int]:
    return (reply.get_attr("TCA_CHAIN") or 0, reply["info"] >> 16)


def _message(kind: int, item: Filter, indexes: Indexes) -> Any:
    message = tcmsg()
    message["header"]["type"] = kind
    message["index"] = indexes[LinkId(netns=item.netns, name=item.link)]
    message["parent"] = item.parent
    message["info"] = item.priority << 16 | htons(item.protocol)
    message["attrs"] = [("TCA_CHAIN", item.chain)] if item.chain else []
    return message


def _matches(item: Filter) -> Iterator[tuple[str, Any]]:
    matches = dict(item.matches)
    if item.protocol != ETH_P_ALL:
        yield f"TCA_FLOWER_{_ETH_TYPE}", item.protocol
    if "destination" in matches:
        mac, _, mask = matches["destination"].partition("/")
        yield f"TCA_FLOWER_{_DESTINATION}", mac
        yield f"TCA_FLOWER_{_MASK}", mask or _EVERY_BIT
    if "vlan" in matches:
        yield f"TCA_FLOWER_{_VLAN}", int(matches["vlan"])


def _read_matches(options: Any) -> Iterator[tuple[str, str]]:
    """What flower matches; what vnetlab would not ask for, by its number there."""
    found = {int(name.rpartition("_")[2]): value for name, value in options["attrs"]}
    for number, value in found.items():
        match number:
            case 3 | 5 | 8 | 22 | 86:
                pass
            case 4:
                mask = found.get(_MASK, _EVERY_BIT)
                yield "destination", value if mask == _EVERY_BIT else f"{value}/{mask}"
            case 23:
                yield "vlan", str(value)
            case _:
                yield f"key {number}", str(value)


def _encode_action(item: Action, netns: str, indexes: Indexes) -> Any:
    options = _ENCODERS[item.kind](dict(item.settings), netns, indexes)
    return {"attrs": [("TCA_ACT_KIND", item.kind), ("TCA_ACT_OPTIONS", {"attrs": options})]}


def _read_u32_matches(options: Any) -> Iterator[tuple[str, str]]:
    """Words of the packet by their place in it: `VALUE/MASK`; the class that it goes to."""
    selector = bytes.fromhex(options.get_attr("TCA_U32_SEL").replace(":", ""))
    for mask, value, at, _ in _U32_KEY.iter_unpack(selector[_U32_SELECTOR_BYTES:]):
        yield f"at {at}", f"{value.hex()}/{mask.hex()}"
    yield from _read_class(options.get_attr("TCA_U32_CLASSID"))


def _read_basic_matches(options: Any) -> Iterator[tuple[str, str]]:
    if options.get_attr("TCA_BASIC_EMATCHES") is not None:
        yield "ematch", "some"
    yield from _read_class(options.get_attr("TCA_BASIC_CLASSID"))


def _read_matchall_matches(options: Any) -> Iterator[tuple[str, str]]:
    yield from _read_class(options.get_attr("TCA_MATCHALL_CLASSID"))


def _read_class(handle: int | None) -> Iterator[tuple[str, str]]:
    """The class of a classful qdisc that the frame goes to: no match, but what makes it one."""
    if handle:
        yield "class", f"{handle >> 16:x}:{handle & 0xFFFF:x}"


def _read_actions(actions: Any, names: Mapping[int, str]) -> Iterator[Action]:
    for _, told in actions["attrs"] if actions else ():
        kind = told.get_attr("TCA_ACT_KIND")
        decode = _DECODERS.get(kind)
        settings = decode(told.get_attr("TCA_ACT_OPTIONS"), names) if decode else {}
        yield action(kind, **settings)


def _encode_police(settings: dict[str, Any], _netns: str, _indexes: Indexes) -> list[Any]:
    rate = settings["rate_bit_s"] // 8
    parameters = {
        "rate": min(rate, _LARGEST_U32),
        "burst": settings["burst_ns"] // TICK_NS,
        "mtu": settings["largest_bytes"],
        "action": _VERDICTS[settings["exceed"]],
    }
    attrs = [("TCA_POLICE_TBF", parameters), ("TCA_POLICE_RATE", True)]
    attrs.append(("TCA_POLICE_RESULT", _VERDICTS[settings["conform"]]))
    if rate > _LARGEST_U32:
        attrs.append(("TCA_POLICE_RATE64", rate))
    return attrs


def _decode_police(options: Any, _names: Mapping[int, str]) -> dict[str, int | str]:
    parameters = options.get_attr("TCA_POLICE_TBF")
    found: dict[str, int | str] = {
        "rate_bit_s": (options.get_attr("TCA_POLICE_RATE64") or parameters["rate"]) * 8,
        "burst_ns": parameters["burst"] * TICK_NS,
        "largest_bytes": parameters["mtu"],
        "exceed": _verdict(parameters["action"]),
        "conform": _verdict(options.get_attr("TCA_POLICE_RESULT") or 0),
    }
    return found | ({"peak_bit_s": parameters["peak"] * 8} if parameters["peak"] else {})


def _encode_mirred(settings: dict[str, Any], netns: str, indexes: Indexes) -> list[Any]:
    parameters = {
        "action": _VERDICTS[settings["then"]],
        "eaction": _MODE_NUMBERS[settings["mode"]],
        "ifindex": indexes[LinkId(netns=netns, name=settings["link"])],
    }
    return [("TCA_MIRRED_PARMS", parameters)]


def _decode_mirred(options: Any, names: Mapping[int, str]) -> dict[str, int | str]:
    parameters = options.get_attr("TCA_MIRRED_PARMS")
    return {
        "link": names.get(parameters["ifindex"], ""),
        "mode": _MODES.get(parameters["eaction"], "otherwise"),
        "then": _verdict(parameters["action"]),
    }


def _encode_vlan(settings: dict[str, Any], _netns: str, _indexes: Indexes) -> list[Any]:
    mode = _VLAN_MODE_NUMBERS[settings["mode"]]
    attrs: list[Any] = [
        ("TCA_VLAN_PARMS", {"action": _VERDICTS[settings["then"]], "v_action": mode})
    ]
    if "vid" in settings:
        attrs.append(("TCA_VLAN_PUSH_VLAN_ID", settings["vid"]))
    return attrs


def _decode_vlan(options: Any, _names: Mapping[int, str]) -> dict[str, int | str]:
    parameters = options.get_attr("TCA_VLAN_PARMS")
    vid = options.get_attr("TCA_VLAN_PUSH_VLAN_ID")
    found: dict[str, int | str] = {
        "mode": _VLAN_MODES.get(parameters["v_action"], "otherwise"),
        "then": _verdict(parameters["action"]),
    }
    return found | ({} if vid is None else {"vid": vid})


def _encode_gact(settings: dict[str, Any], _netns: str, _indexes: Indexes) -> list[Any]:
    return [("TCA_GACT_PARMS", {"action": _VERDICTS[settings["then"]]})]


def _decode_gact(options: Any, _names: Mapping[int, str]) -> dict[str, int | str]:
    return {"then": _verdict(options.get_attr("TCA_GACT_PARMS")["action"])}


def _verdict(number: int) -> str:
    signed = number - 2**32 if number > _LARGEST_U32 // 2 else number
    return _VERDICT_NAMES.get(signed, str(signed))


_Encoder = Callable[[dict[str, Any], str, Indexes], list[Any]]
_Decoder = Callable[[Any, Mapping[int, str]], dict[str, int | str]]
_ENCODERS: dict[str, _Encoder] = {
    "police": _encode_police,
    "mirred": _encode_mirred,
    "vlan": _encode_vlan,
    "gact": _encode_gact,
}
_DECODERS: dict[str, _Decoder] = {
    "police": _decode_police,
    "mirred": _decode_mirred,
    "vlan": _decode_vlan,
    "gact": _decode_gact,
}
_MATCHES: dict[str, Callable[[Any], Iterator[tuple[str, str]]]] = {
    "flower": _read_matches,
    "matchall": _read_matchall_matches,
    "u32": _read_u32_matches,
    "basic": _read_basic_matches,
}
