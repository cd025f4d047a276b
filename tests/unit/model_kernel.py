"""A kernel in a dictionary: it refuses what the real one refuses, and drops what that one drops.

It has the rules that a plan's order depends on:

- A namespace takes all in it along, but dies in the background: the far ends of its veths stay
  until then (net/core/net_namespace.c, cleanup_net).
- A link takes along its peer, its sub-interfaces and all that is on it; a bridge releases its
  ports. A port that leaves its bridge loses its VLANs (net/bridge/br_vlan.c, nbp_vlan_flush).
- A new link is down, in no bridge and has no alias. A sub-interface has at most its parent's MTU
  and is up only with it (net/8021q/vlan_dev.c).
- The last IPv4 address of a link takes its IPv4 routes along (net/ipv4/fib_frontend.c). A link
  that goes down loses its routes; one that is down or small its IPv6 (net/ipv6/addrconf.c).
- A link that comes into a VRF or leaves one goes down and up (drivers/net/vrf.c, cycle_netdev).
- A link becomes a bond's slave by a step of its own, while it is down, and is then up. One that a
  bond lets go is down and has its own MAC again (drivers/net/bonding/bond_main.c). A port that
  leaves its bridge loses its settings.
- A route needs a link that is up, and a gateway that one of the link's addresses reaches.
- A port has one PVID at most. A qdisc takes those below it and its filters along.
- A filter needs a clsact qdisc; one that sends frames to a link that goes stays, and sends them
  nowhere (net/sched/act_mirred.c, mirred_device_event).
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from vnetlab.state.filters import CLSACT_PARENT, Filter, without_links
from vnetlab.state.losses import key_of
from vnetlab.state.nftables import NftChain, NftSet, NftTable
from vnetlab.state.objects import (
    Address,
    BridgeVlan,
    Kind,
    Link,
    LinkId,
    Namespace,
    Object,
    Qdisc,
    Route,
    State,
    Sysctl,
    collect,
    everything,
)
from vnetlab.state.outside import HOST
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.plan import CONFIGURING, Phase, Plan
from vnetlab.state.routing import Neighbour, PolicyRule
from vnetlab.state.running import Limits, Service
from vnetlab.state.shaping import ROOT
from vnetlab.state.switching import BridgePort

INGRESS = 0xFFFF_FFF1  # TC_H_INGRESS
_MAJOR = 0xFFFF_0000
_LEAST_IPV6_MTU = 1280
_MASTERS = (Kind.BRIDGE, Kind.VRF, Kind.BOND)
_ITS_OWN_MAC = "02:00:00:00:00:97"

OnLinkT = TypeVar("OnLinkT", Address, BridgeVlan, FdbEntry, Filter, Qdisc, Route)


class RefusedError(Exception):
    """What the real kernel would answer with an error."""


def require(condition: object, message: str) -> None:
    """Refuse with `message` unless the condition holds."""
    if not condition:
        raise RefusedError(message)


class ModelKernel:
    """A lab's objects, which change as they would in a kernel."""

    def __init__(self, state: State) -> None:
        self._objects = {key_of(item): item for item in everything(state)}

    @property
    def state(self) -> State:
        """What can be observed."""
        return collect(self._objects.values())

    def carry_out(self, plan: Plan) -> None:
        """Make the changes in their order. None may leave a veth to a namespace's slow death."""
        for phase, changes in plan.phases:
            for change in changes:
                if change.new is None:
                    self.remove(change.subject)
                elif phase is Phase.BOND_SLAVES and isinstance(change.subject, Link):
                    self.join(change.subject)
                elif phase in (Phase.PORT_STATES, Phase.BRIDGE_PORTS) and isinstance(
                    change.subject, Link
                ):
                    self.set_port(change.subject)
                elif phase in (Phase.BRIDGES_UP, Phase.SWITCHES_UP) and isinstance(
                    change.subject, Link
                ):
                    link = self._link(change.subject.netns, change.subject.name)
                    self._objects[key_of(link)] = replace(link, up=True)
                elif phase in CONFIGURING and isinstance(change.subject, Link):
                    new_bridge = change.old is None and change.subject.kind is Kind.BRIDGE
                    up = change.subject.up and not new_bridge
                    self.configure(replace(change.subject, up=up))
                else:
                    self.make(change.subject)
            require(not self._halves(), f"half a veth after {phase.name}: {self._halves()}")

    def let_die(self) -> None:
        """Let time pass until the removed namespaces have died."""
        for link in self._halves():
            self._drop_link(link.id)

    def remove(self, item: Object) -> None:
        """Remove one object, and what goes with it."""
        require(key_of(item) in self._objects, f"not there: {item}")
        match item:
            case Namespace():
                self._drop_namespace(item.name)
            case Link():
                self._drop_link(item.id)
            case Qdisc():
                self._drop_qdisc(item)
            case Address():
                self._drop(item)
                link = self._link(item.netns, item.link)
                if not any(a.interface.version == 4 for a in self._on(link, Address)):
                    self._drop(*(r for r in self._on(link, Route) if r.destination.version == 4))
            case Sysctl():
                raise RefusedError(f"a setting cannot be removed: {item}")
            case NftTable():
                self._drop(item, *self._in_table(item))
            case (
                BridgeVlan()
                | Service()
                | Limits()
                | FdbEntry()
                | PolicyRule()
                | Route()
                | Neighbour()
                | NftChain()
                | NftSet()
                | Filter()
            ):
                self._drop(item)

    def make(self, item: Object) -> None:
        """Make one object; some are set by being made again."""
        match item:
            case Link():
                self._require_room(item)
                if item.parent is not None:
                    require(item.mtu <= self._link(item.netns, item.parent).mtu, f"MTU: {item}")
                item = replace(
                    replace(item, up=False, role=None, label="", master=None, link_local=True),
                    in_bond=False,
                    port=BridgePort(),
                )
            case BridgeVlan():
                self._take_pvid(item)
            case Address():
                self._require_room(item)
                small = self._link(item.netns, item.link).mtu < _LEAST_IPV6_MTU
                require(item.interface.version == 4 or not small, f"no IPv6 there: {item}")
            case FdbEntry():
                self._require_entry(item)
            case Route(link=None):
                self._require_room(item)
            case Route():
                self._require_room(item)
                require(self._reaches_gateway(item), f"gateway out of reach: {item}")
            case Qdisc():
                self._require_place(item)
            case Filter():
                self._require_hook(item)
            case NftChain() | NftSet():
                table = (NftTable, (item.netns, item.family, item.table))
                require(table in self._objects, f"no table: {item}")
            case Sysctl() | Service() | Limits() | NftTable():
                require(self._has_namespace(item.netns), f"no namespace: {item}")
        self._objects[key_of(item)] = item

    def configure(self, link: Link) -> None:
        """Give an existing link all settings of `link`."""
        old = self._link(link.netns, link.name)
        if link.master is not None:
            require(self._link(link.netns, link.master).kind in _MASTERS, f"no bridge: {link}")
        if link.parent is not None:
            parent = self._link(link.netns, link.parent)
            require(link.mtu <= parent.mtu and link.up <= parent.up, f"parent: {link}")
        link = self._as_slave(link, old)
        self._objects[key_of(link)] = link
        if link.master != old.master:
            self._drop(*self._on(link, BridgeVlan))
            self._drop(*(entry for entry in self._on(link, FdbEntry) if entry.remote is None))
            if Kind.VRF in (self._kind_of_master(old), self._kind_of_master(link)) and old.up:
                self._drop(*self._on(link, Route))
                self._drop(*(a for a in self._on(link, Address) if a.interface.version == 6))
        if not link.up:
            self._drop(*self._on(link, Route))
        if not link.up or link.mtu < _LEAST_IPV6_MTU:
            self._drop(*(a for a in self._on(link, Address) if a.interface.version == 6))
            self._drop(*(r for r in self._on(link, Route) if r.destination.version == 6))
        for sub in self._links(link.netns):
            if sub.parent == link.name:
                self.configure(replace(sub, mtu=min(sub.mtu, link.mtu), up=sub.up and link.up))

    def join(self, link: Link) -> None:
        """Take a link from its master, and make it a bond's slave where it is to be that."""
        old = self._link(link.netns, link.name)
        self.configure(replace(old, master=None, in_bond=False, port=BridgePort(), up=False))
        if link.in_bond:
            require(self._link(link.netns, str(link.master)).kind is Kind.BOND, f"no bond: {link}")
            freed = self._link(link.netns, link.name)
            slave = replace(freed, master=link.master, in_bond=True, up=True)
            self._objects[key_of(slave)] = slave

    def set_port(self, link: Link) -> None:
        """Give an existing bridge port the settings of `link`, its state as well."""
        old = self._link(link.netns, link.name)
        require(self._kind_of_master(old) is Kind.BRIDGE, f"no port: {link}")
        self._objects[key_of(old)] = replace(old, port=link.port)

    def _as_slave(self, link: Link, old: Link) -> Link:
        """What `link` becomes in the place that it has or comes to."""
        if link.master == old.master:
            return replace(link, port=old.port)
        require(not link.in_bond or old.in_bond, f"a link that is up, or not told to join: {link}")
        link = replace(link, port=BridgePort(), in_bond=False)
        return replace(link, mac=_ITS_OWN_MAC, up=False) if old.in_bond else link

    def _take_pvid(self, vlan: BridgeVlan) -> None:
        port = self._link(vlan.netns, vlan.link)
        require(port.master, f"no bridge: {vlan}")
        for other in self._on(port, BridgeVlan) if vlan.pvid else ():
            self._objects[key_of(other)] = replace(other, pvid=False)

    def _kind_of_master(self, link: Link) -> Kind | None:
        master = self._objects.get((Link, LinkId(netns=link.netns, name=link.master or "")))
        return master.kind if isinstance(master, Link) else None

    def _require_entry(self, entry: FdbEntry) -> None:
        self._require_room(entry)
        link = self._link(entry.netns, entry.link)
        if entry.remote is not None:
            require(link.kind is Kind.VXLAN, f"no VXLAN link: {entry}")
        else:
            require(self._kind_of_master(link) is Kind.BRIDGE, f"no bridge: {entry}")

    def _require_room(self, item: Link | Address | FdbEntry | Route) -> None:
        require(self._has_namespace(item.netns), f"no namespace: {item}")
        require(key_of(item) not in self._objects, f"there already: {item}")

    def _has_namespace(self, name: str) -> bool:
        return name == HOST or (Namespace, name) in self._objects

    def _require_place(self, qdisc: Qdisc) -> None:
        there = self._on(self._link(qdisc.netns, qdisc.link), Qdisc)
        others = [other for other in there if other.id != qdisc.id]
        for present in there:
            same = (present.kind, present.handle) == (qdisc.kind, qdisc.handle)
            require(same or present in others, f"in the place of {qdisc}: {present}")
        handles = [other.handle for other in others]
        held = qdisc.parent in (ROOT, INGRESS) or qdisc.parent & _MAJOR in handles
        require(held and qdisc.handle not in handles, f"no place: {qdisc}")

    def _require_hook(self, item: Filter) -> None:
        there = self._on(self._link(item.netns, item.link), Qdisc)
        require(any(q.kind == "clsact" for q in there), f"no hook: {item}")
        present = self._objects.get(key_of(item))
        if isinstance(present, Filter):
            require(replace(present, actions=item.actions) == item, f"in its place: {present}")
        for settings in (dict(action.settings) for action in item.actions):
            if "link" in settings:
                self._link(item.netns, str(settings["link"]))

    def _reaches_gateway(self, route: Route) -> bool:
        link = self._link(route.netns, route.link or "")
        return link.up and any(
            route.via in address.interface.network for address in self._on(link, Address)
        )

    def _drop_namespace(self, name: str) -> None:
        for item in list(self._objects.values()):
            if item.netns == name:
                self._drop(item)

    def _drop_link(self, link_id: LinkId) -> None:
        link = self._objects.get((Link, link_id))
        if not isinstance(link, Link):
            return
        for other in self._links(link.netns):
            if other.master == link.name:
                self.configure(replace(other, master=None))
        self._drop(*self._on(link, Address), *self._on(link, BridgeVlan))
        self._drop(*self._on(link, FdbEntry), *self._on(link, Filter))
        self._drop(*self._on(link, Route), *self._on(link, Qdisc), link)
        for item in list(self._objects.values()):
            if isinstance(item, Filter) and item.netns == link.netns:
                self._objects[key_of(item)] = without_links(item, lambda name: name == link.name)
        for other in self._links(link.netns):
            if other.parent == link.name:
                self._drop_link(other.id)
        if link.peer is not None:
            self._drop_link(link.peer)

    def _in_table(self, table: NftTable) -> list[Object]:
        items = [it for it in self._objects.values() if isinstance(it, NftChain | NftSet)]
        return [it for it in items if (it.netns, it.family, it.table) == table.id]

    def _drop_qdisc(self, qdisc: Qdisc) -> None:
        self._drop(qdisc)
        if qdisc.parent == CLSACT_PARENT:
            self._drop(*self._on(self._link(qdisc.netns, qdisc.link), Filter))
        for other in self._on(self._link(qdisc.netns, qdisc.link), Qdisc):
            if other.parent not in (ROOT, INGRESS) and other.parent & _MAJOR == qdisc.handle:
                self._drop_qdisc(other)

    def _drop(self, *items: Object) -> None:
        for item in items:
            del self._objects[key_of(item)]

    def _halves(self) -> list[Link]:
        ends = {link.id for link in self._links()}
        return [link for link in self._links() if link.peer is not None and link.peer not in ends]

    def _links(self, netns: str | None = None) -> list[Link]:
        links = [item for item in self._objects.values() if isinstance(item, Link)]
        return [link for link in links if netns in (None, link.netns)]

    def _link(self, netns: str, name: str) -> Link:
        link = self._objects.get((Link, LinkId(netns=netns, name=name)))
        if not isinstance(link, Link):
            raise RefusedError(f"no link {netns}.{name}")
        return link

    def _on(self, link: Link, kind: type[OnLinkT]) -> list[OnLinkT]:
        items = [item for item in self._objects.values() if isinstance(item, kind)]
        return [item for item in items if (item.netns, item.link) == (link.netns, link.name)]
