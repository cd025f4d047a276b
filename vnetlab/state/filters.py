"""Traffic-control filters: which frames of a link something is done to, and what (pure).

A filter stands on a hook of a link's `clsact` qdisc: for what comes in, or goes out. The filters
of a hook are asked by priority, the lowest first, until one of them says what becomes of the frame.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

CLSACT_HANDLE = 0xFFFF_0000
CLSACT_PARENT = 0xFFFF_FFF1  # TC_H_CLSACT
INGRESS, EGRESS = 0xFFFF_FFF2, 0xFFFF_FFF3  # with TC_H_MIN_INGRESS, TC_H_MIN_EGRESS
HOOKS = {INGRESS: "ingress", EGRESS: "egress"}

ETH_P_ALL, ETH_P_8021Q = 0x0003, 0x8100


class Action(Struct, frozen=True, kw_only=True):
    """What is done to a frame: tc-actions(8).

    `settings` by name, sorted. `police` has `burst_ns`, `conform` and `exceed` (what becomes of
    frames within the rate, and of others), `largest_bytes` and `rate_bit_s`; `mirred` has `link`
    (empty where it is gone), `mode` and `then`; `vlan` has `mode` (`pop`, `push`), `then` and for
    `push` the `vid`; `gact` has `then`. Another kind has none here. What becomes of a frame is
    `pass`, `drop`, `pipe` (the next action), `continue` (the next filter), `reclassify`, or a
    number.
    """

    kind: str
    settings: tuple[tuple[str, int | str], ...]


class Filter(Struct, frozen=True, kw_only=True):
    """A filter of a hook: the one that has a priority (and chain) there.

    `protocol` is an EtherType, or ETH_P_ALL; `matches` by name, sorted: `destination` (a MAC, or a
    MAC and the mask of its bits that count) and `vlan`. One that vnetlab would not make has other
    matches (`at 12`: what the packet has there, of u32; `class`: the one of a classful
    qdisc), and `handle` is 0 where there are several filters with this priority.
    """

    netns: str
    link: str
    parent: int
    priority: int
    protocol: int
    kind: str
    matches: tuple[tuple[str, str], ...]
    actions: tuple[Action, ...]
    handle: int = 1
    chain: int = 0

    @property
    def id(self) -> tuple[str, str, int, int, int]:
        """Link, hook, chain and priority."""
        return (self.netns, self.link, self.parent, self.chain, self.priority)


def action(kind: str, **settings: int | str) -> Action:
    """An action with its settings."""
    return Action(kind=kind, settings=tuple(sorted(settings.items())))


def without_links(item: Filter, gone: Callable[[str], bool]) -> Filter:
    """`item` as it is when the links of its namespace that are `gone` are no more."""
    return replace(item, actions=tuple(_without_links(it, gone) for it in item.actions))


def _without_links(item: Action, gone: Callable[[str], bool]) -> Action:
    settings = dict(item.settings)
    lost = "link" in settings and gone(str(settings["link"]))
    return action(item.kind, **settings | {"link": ""}) if lost else item
