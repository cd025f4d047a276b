"""The links of a lab by the names that its user knows them by, and what one loses when down (pure).

A link's name is its label, the name in the topology: `web1.eth0`, `hv1.eno1`, `tor1.hv1.eno1`,
`gw.web`. The kernel's own is understood too: `gw.eth0.10`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vnetlab.errors import UsageError
from vnetlab.state.diff import Change
from vnetlab.state.objects import Address, Kind, Link, LinkId, Route, State
from vnetlab.topology.wording import did_you_mean


def named_links(state: State) -> dict[str, Link]:
    """Every link that vnetlab made, by its name, sorted by node and name."""
    made = (link for link in state.links if link.role is not None)
    return {_name(link): link for link in sorted(made, key=lambda link: (link.netns, _name(link)))}


def find_link(state: State, name: str) -> Link:
    """Return the link that `name` means. Raises UsageError with what may have been meant."""
    known = named_links(state)
    links = {str(link.id): link for link in known.values()} | known
    if name in links:
        return links[name]
    node = name.partition(".")[0]
    of_node = [other for other, link in known.items() if link.netns == node]
    if not of_node:
        nodes = sorted(namespace.name for namespace in state.namespaces)
        raise UsageError(f"no node '{node}', expected NODE.LINK", fix=did_you_mean(node, nodes))
    problem = f"no link '{name}'" if "." in name else f"got the node '{name}', expected NODE.LINK"
    raise UsageError(problem, fix=did_you_mean(name, of_node))


def lost_when_down(link: Link, state: State, changes: Iterable[Change]) -> Iterator[Change]:
    """Those of `changes` that give back what the kernel took from `link` while it was down.

    That is IPv6 addresses and routes, its own and its sub-interfaces' (net/ipv6/addrconf.c,
    addrconf_ifdown; net/ipv4/fib_frontend.c, fib_disable_ip).
    """
    links = {link.id} | {sub.id for sub in state.links if _is_on(sub, link)}
    for change in changes:
        item = change.new
        if change.old is not None or not isinstance(item, Address | Route):
            continue
        if LinkId(netns=item.netns, name=item.link or "") in links:
            yield change


def _name(link: Link) -> str:
    """Its label; where that is its node's name (the bridge of a physical switch), the kernel's."""
    return link.label if "." in link.label else str(link.id)


def _is_on(sub: Link, link: Link) -> bool:
    return sub.kind is Kind.VLAN and (sub.netns, sub.parent) == (link.netns, link.name)
