"""The network of a lab's host, as far as a router with `external` uses it (pure).

How it works: everything of the lab that is outside of its namespaces belongs to a namespace called
HOST here: the host's end of a veth, its address, a table of nftables named after the lab, and the
setting that lets the host forward replies. So it is compared, planned and repaired as all else is.
Of a host, though, nothing is observed but what is the lab's.

That setting, of the link of the host's default route, was there before. What it was is remembered
in the lab's table, as the comment of a rule in a chain that nothing jumps to, and written before
the setting changes. Of several labs each remembers it, and the last one restores it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import blake2b
from ipaddress import IPv4Network

from msgspec import Struct, field

from vnetlab.errors import UsageError
from vnetlab.state.nft_rules import counter, rule
from vnetlab.state.nftables import NftChain, NftRule
from vnetlab.state.objects import (
    Address,
    Link,
    LinkId,
    Route,
    State,
    Sysctl,
    collect,
    everything,
)
from vnetlab.topology.external import POOL, PREFIX_LENGTH
from vnetlab.topology.names import kernel_name

HOST = "(host)"
"""The name of the host's namespace, which no node can have."""

HOST_FAMILY = "ip"
EARLIER = "earlier"
"""The chain whose rules remember what settings were."""

FORWARDS = "1"

_TABLE = "vnetlab-"
_PLACES = 1 << (PREFIX_LENGTH - POOL.prefixlen)
_FIRST_INDEX = 1 << 30


class Outside(Struct, frozen=True, kw_only=True):
    """What a lab has to know of its host.

    `taken`: prefixes that the host's addresses and routes have, but for the lab's own. `held`:
    those that the lab has, by the name of its link. `ways`: the links of the host's default route.
    `values`: settings as they are. `earlier`: what those were that the lab changed; `shared`: the
    same of other labs. Settings are by their paths below /proc/sys.
    """

    taken: frozenset[IPv4Network] = frozenset()
    held: Mapping[str, tuple[IPv4Network, ...]] = field(default_factory=dict)
    ways: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)


NOWHERE = Outside()
"""A host without a network."""


def table_of(lab: str) -> str:
    """The name of the lab's table on the host."""
    return f"{_TABLE}{lab}"


def is_table_of_a_lab(family: str, name: str) -> bool:
    """Whether a table of the host is that of some lab."""
    return family == HOST_FAMILY and name.startswith(_TABLE)


def label_of(lab: str, router: str) -> str:
    """The full name of the host's end of the link of a router."""
    return f"{lab}.{router}"


def host_index(label: str) -> int:
    """The ifindex of the host's end: one that the kernel would not take by itself.

    Until the link has its ifalias, it is known by its name together with this.
    """
    return _FIRST_INDEX | _number(label) % _FIRST_INDEX


def forwarding_of(link: str) -> str:
    """The path of the setting that lets the host forward what comes in by the link."""
    return f"net/ipv4/conf/{link}/forwarding"


def choose_prefixes(
    lab: str, routers: Iterable[str], outside: Outside, inside: Collection[IPv4Network]
) -> dict[str, IPv4Network]:
    """A prefix for each router: the one that it has, or the first free one from a hash of its name.

    `inside` are the prefixes of the lab. Raises UsageError if none is free.
    """
    chosen: dict[str, IPv4Network] = {}
    missing = []
    for router in routers:
        label = label_of(lab, router)
        held = [it for it in outside.held.get(kernel_name(label), ()) if _is_usable(it, inside)]
        if held:
            chosen[router] = min(held, key=lambda it, label=label: _distance(it, label))  # type: ignore[misc]
        else:
            missing.append(router)
    used = [it for it in (*outside.taken, *inside, *chosen.values()) if it.overlaps(POOL)]
    for router in missing:
        free = (it for it in _candidates(label_of(lab, router)) if not _overlaps(it, used))
        prefix = next(free, None)
        if prefix is None:
            raise UsageError(
                f"routers.{router}.external: no /{PREFIX_LENGTH} of {POOL} is free on this host",
                fix="'ip route' shows what has it; free a part of it, or leave 'external' out",
            )
        chosen[router] = prefix
        used.append(prefix)
    return chosen


def settings_to_remember(outside: Outside) -> dict[str, str]:
    """What the settings are, or once were, that the lab has to change."""
    found = {}
    for key in map(forwarding_of, outside.ways):
        known = outside.earlier.get(key) or outside.shared.get(key) or outside.values.get(key)
        if known not in (None, FORWARDS):
            found[key] = known
    return found


def restored_settings(outside: Outside, kept: Collection[str]) -> Iterator[Sysctl]:
    """What was changed and is not `kept`, as it was before, unless another lab needs it."""
    for key, value in outside.earlier.items():
        if key not in kept and key not in outside.shared and key in outside.values:
            yield Sysctl(netns=HOST, key=key, value=value, restored=True)


def remember(settings: Mapping[str, str]) -> tuple[NftRule, ...]:
    """The rules that keep what settings were."""
    return tuple(rule(f"{key}={value}", counter()) for key, value in sorted(settings.items()))


def recall(chain: NftChain) -> dict[str, str]:
    """Undo `remember`; nothing where somebody else wrote the rules."""
    pairs = (rule.name.partition("=") for rule in chain.rules)
    return {key: value for key, _, value in pairs if key.startswith("net/ipv4/conf/") and value}


def _is_usable(prefix: IPv4Network, inside: Collection[IPv4Network]) -> bool:
    is_ours = prefix.prefixlen == PREFIX_LENGTH and prefix.subnet_of(POOL)
    return is_ours and not _overlaps(prefix, inside)


def _overlaps(prefix: IPv4Network, others: Iterable[IPv4Network]) -> bool:
    return any(prefix.overlaps(other) for other in others)


def _candidates(label: str) -> Iterator[IPv4Network]:
    size = 1 << (POOL.max_prefixlen - PREFIX_LENGTH)
    for step in range(_PLACES):
        place = (_number(label) + step) % _PLACES
        yield IPv4Network((int(POOL.network_address) + place * size, PREFIX_LENGTH))


def _distance(prefix: IPv4Network, label: str) -> int:
    """How many candidates of `label` come before the prefix."""
    size = 1 << (POOL.max_prefixlen - PREFIX_LENGTH)
    place = (int(prefix.network_address) - int(POOL.network_address)) // size
    return (place - _number(label)) % _PLACES


def _number(label: str) -> int:
    return int.from_bytes(blake2b(label.encode(), digest_size=8).digest())


def without_host(state: State) -> State:
    """`state` without the host's part, and without the links that lead to it."""
    lost = {link.id for link in state.links if link.peer is not None and link.peer.netns == HOST}
    return collect(
        item
        for item in everything(state)
        if item.netns != HOST
        and not (isinstance(item, Link) and item.id in lost)
        and not (
            isinstance(item, Address | Route)
            and LinkId(netns=item.netns, name=item.link or "") in lost
        )
    )
