"""A lab in which every key of the language has a value or could have one, and an edit of each."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml
from msgspec import Struct

LAB: dict[str, Any] = yaml.safe_load("""\
networks:
  quiet: {vlan: 5, ipv4: 10.5.0.0/24, ipv6: "fd00:5::/64"}
  web: {vlan: 10, ipv4: 10.10.0.0/24, ipv6: "fd00:10::/64"}
  db: {vlan: 20, ipv4: 10.20.0.0/24, ipv6: "fd00:20::/64"}
  under: {vlan: 100, ipv4: 10.100.0.0/24, mtu: 1600}
  below: {vlan: 101, ipv4: 10.101.0.0/24, mtu: 1600}
  tenant: {vlan: 50, vxlan: {id: 5001}, underlay: under, ipv4: 10.50.0.0/24}
physical_switches:
  tor1: {stp: {priority: 4096, forward_delay: 4s, max_age: 6s}}
  tor2:
    stp: {forward_delay: 4s, max_age: 6s, hello_time: 1s}
    links:
      - {to: tor1, rate: 10gbit, delay: 100us, members: 2, lag: balance-xor, cost: 5}
      - {to: tor3, rate: 10gbit, delay: 100us}
  tor3: {stp: {forward_delay: 4s, max_age: 6s}}
  tor4: {}
hypervisors:
  hv1:
    pnics: {eno1: {to: tor1, rate: 1gbit, delay: 100us}}
    nics: [{network: under}, {network: below, mac: "02:00:00:00:00:01"}]
  hv2:
    pnics: {eno1: {to: tor2}, eno2: {to: tor1}}
    vswitches: {vs0: {pnics: [eno1, eno2], teaming: active-backup}}
    nics: [{network: under}, {network: below}]
  hv3:
    pnics: {eno1: {to: tor3}, eno2: {to: tor3}}
    vswitches: {vs0: {pnics: [eno1]}, vs1: {}}
    nics: [{network: quiet, vswitch: vs0}]
  hv4:
    pnics: {eno1: {to: tor3}, eno2: {to: tor3}}
    vswitches: {vs0: {pnics: [eno1, eno2], teaming: 802.3ad}}
  many: {count: 2, pnics: {eno1: {to: tor3}}}
port_groups:
  customers:
    network: web
    isolated: false
    security: {forged_transmits: reject}
    security_groups: [sg]
    shaping: {average: 100mbit, peak: 200mbit, burst: 64kb, to_vm: {average: 50mbit}}
    storm_limit: {broadcast: 1mbit}
  guests: {trunk: [5, 10, 20], native: 10}
  carrier: {trunk: [10, 20]}
security_groups:
  sg: {ingress: [{proto: tcp, ports: 80, from: web}], egress: [any]}
  other: {ingress: [udp/53]}
vms:
  x: {"on": hv1, nics: [{network: quiet}]}
  y: {"on": hv2, nics: [{network: quiet}]}
  a: {"on": hv1, nics: [{port_group: customers}]}
  b: {"on": hv1, nics: [{network: web, security_groups: [sg]}]}
  c:
    "on": hv2
    nics: [{network: web, port_group: guests, tagged: [{network: db}]}]
    routes: [{to: 192.0.2.0/24, via: 10.10.0.11}, {to: 192.0.6.0/24, type: blackhole}]
    sysctls: {net.ipv4.icmp_ratemask: 0}
    firewall: {input: [icmp], output: [any], default: deny}
    run: [{name: web, command: sleep 1000}]
    limits: {cpu: 0.5, memory: 64mib}
  d: {"on": hv3, nics: [{network: web, vswitch: vs0}, {network: quiet, vswitch: vs1}]}
  e: {"on": hv3, nics: [{vswitch: vs1, port_group: carrier, tagged: [{network: db}]}]}
  t1: {"on": hv1, nics: [{network: tenant}]}
  t2: {"on": hv2, nics: [{network: tenant}]}
  crowd: {count: 2, "on": hv1, nics: [{network: quiet}]}
hosts:
  metal:
    nics: [{network: web, to: tor1, rate: 1gbit, delay: 100us, tagged: [{network: db}]}]
    routes: [{to: 192.0.2.0/24, via: 10.10.0.11}, {to: 192.0.6.0/24, type: blackhole}]
    run: [{name: web, command: sleep 1000}]
    limits: {cpu: 0.5, memory: 64mib}
  rack: {count: 2, to: tor3, nics: [{network: quiet}]}
routers:
  gw:
    to: tor1
    rate: 1gbit
    delay: 100us
    networks: [{network: web}, {network: db, vrf: red}, {network: below, vrf: red}]
    vrfs: {red: {table: 1001}, blue: {table: 1002}}
    routes: [{to: 192.0.2.0/24, via: 10.10.0.11}, {to: 192.0.4.0/24, via: 10.20.0.9, vrf: red},
      {to: 192.0.6.0/24, type: blackhole},
      {to: 192.0.8.0/24, type: blackhole, vrf: red}]
    acl: [{action: deny, proto: tcp, ports: 22, from: quiet, to: web}]
    nat: {masquerade: [web], forward: [{network: web, port: 8080, to: b, to_port: 80}]}
  virtual: {"on": hv3, vswitch: vs0, networks: [{network: quiet}, {network: db}]}
expect: [{from: x, to: y, proto: tcp, port: 80}]
groups: {pair: [x, y]}
""")

MORE = "vms: {more: {'on': hv1, nics: [{network: quiet}]}}"
"""A file to include: more.yaml."""

GONE = object()
"""The value of a key that is taken away."""

KeyPath = tuple[str | int, ...]


class Edit(Struct, frozen=True, kw_only=True):
    """A value of the lab that becomes another, and what may change: patterns of `describe`."""

    path: KeyPath
    value: object
    touches: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its path in the words of an error message."""
        return ".".join(map(str, self.path))


def edit(path: str, value: object, *touches: str) -> Edit:
    """An edit; a step of the path that is a number is the place in a list."""
    steps = (int(step) if step.isdecimal() else step for step in path.split("/"))
    return Edit(path=tuple(steps), value=value, touches=touches)


def edited(change: Edit) -> dict[str, Any]:
    """The lab's file after an edit."""
    lab = deepcopy(LAB)
    place: Any = lab
    for step in change.path[:-1]:
        index: Any = step
        place = place[index] if isinstance(place, list) else place.setdefault(step, {})
    last: Any = change.path[-1]
    if change.value is GONE:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(change.value)
    else:
        assert isinstance(place, list) or place.get(last) != change.value, "that is no edit"
        place[last] = change.value
    return lab


SHAPING = {
    "rate": "2gbit",
    "burst": "64kb",
    "queue": "1mb",
    "delay": "200us",
    "jitter": "50us",
    "loss": "1%",
    "corruption": "1%",
    "duplication": "1%",
    "reordering": "5%",
}

_NETEM = ("delay", "jitter", "loss", "corruption", "duplication", "reordering")
_CABLES = {
    "hypervisors/hv1/pnics/eno1": ("hv1.eno1", "tor1.hv1.eno1"),
    "physical_switches/tor2/links/1": ("tor2.tor3.1", "tor3.tor2.1"),
    "hosts/metal/nics/0": ("metal.eth0", "tor1.metal.eth0"),
    "routers/gw": ("gw.eth0", "tor1.gw.eth0"),
}
"""Cables, with their two ends; each has all of SHAPING, for both directions or for one."""


def _shaping() -> list[Edit]:
    found = []
    for cable, (near, far) in _CABLES.items():
        for key, value in SHAPING.items():
            kind = "netem" if key in _NETEM else "tbf"
            ends = {"": (near, far), "/out": (near,), "/in": (far,)}
            for direction, touched in ends.items():
                what = (f"{kind} on {end}" for end in touched)
                found.append(edit(f"{cable}{direction}/{key}", value, *what))
        found.append(edit(f"{cable}/out", {"loss": "1%"}, f"netem on {near}"))
        found.append(edit(f"{cable}/in", {"loss": "1%"}, f"netem on {far}"))
        found.append(edit(f"{cable}/mtu", 2000, f"* {near}", f"* {far}"))
    return found


_NETWORKS = [
    edit("networks/new", {"vlan": 77}, "VLAN 77 on *"),
    edit(
        "networks/web/vlan",
        30,
        *("VLAN 10 on *", "VLAN 30 on *", "* gw.eth0.10", "* gw.eth0.30", "*in gw"),
    ),
    edit("networks/quiet/ipv4", "10.6.0.0/24", "* 10.?.0.* on *", "* via 10.?.0.1 *", "nft* in gw"),
    edit(
        "networks/web/ipv6",
        "fd00:11::/64",
        *("address fd00:1?::*", "route default via fd00:1?::1 *", "nft* in gw", "nft* in hv1"),
    ),
    edit(
        "networks/web/gateway",
        "10.10.0.200",
        *("address 10.10.0.1/24 on gw.eth0.10", "address 10.10.0.200/24 on gw.eth0.10"),
        *("route default via 10.10.0.*", "* in gw"),
    ),
    edit("networks/web/mtu", 1400, "* gw.eth0.10", "* ?.eth0", "* hv?.?.eth0"),
    edit("networks/tenant/vxlan/id", 5002, "*tenant.vtep*"),
    edit("networks/tenant/vxlan/port", 4790, "*tenant.vtep*"),
    edit("networks/tenant/vxlan", {"id": 5003}, "*tenant.vtep*"),
    edit("networks/tenant/underlay", "below", "*tenant.vtep*"),
]
_SWITCHES = [
    edit("physical_switches/new", {}, "*new*"),
    edit("physical_switches/tor3/stp", False, "physical switch tor3.br0"),
    edit("physical_switches/tor1/stp/enabled", False, "physical switch tor1.br0"),
    edit("physical_switches/tor1/stp/priority", 8192, "physical switch tor1.br0"),
    edit("physical_switches/tor2/stp/hello_time", "2s", "physical switch tor2.br0"),
    edit("physical_switches/tor2/stp/max_age", "7s", "physical switch tor2.br0"),
    edit("physical_switches/tor2/stp/forward_delay", "5s", "physical switch tor2.br0"),
    edit("physical_switches/tor2/links", GONE, "* tor?.tor?.*"),
    edit("physical_switches/tor2/links/1/to", "tor1", "* tor2.tor3.1", "* tor?.tor?.2"),
    edit("physical_switches/tor2/links/0/members", 3, "* tor?.tor?.1.3"),
    edit("physical_switches/tor2/links/0/lag", "802.3ad", "* tor1.tor2.1*", "* tor2.tor1.1*"),
    edit("physical_switches/tor2/links/0/cost", 7, "LAG tor1.tor2.1", "LAG tor2.tor1.1"),
    edit("physical_switches/tor2/links/0/priority", 7, "LAG tor1.tor2.1", "LAG tor2.tor1.1"),
    edit("physical_switches/tor2/links/1/vlans", [5], "VLAN * on tor2.tor3.1", "VLAN * on tor3.*"),
    edit("physical_switches/tor2/links/1/peer_native", 5, "VLAN 5 on tor3.tor2.1"),
    edit("physical_switches/tor2/links/1/native", 5, "VLAN 5 on tor2.tor3.1", "VLAN 5 on tor3.*"),
]
_HYPERVISORS = [
    edit("hypervisors/new", {"pnics": {"eno1": "tor3"}}, "*new*"),
    edit("hypervisors/many/count", 3, "*many3*"),
    edit("hypervisors/many/pnics", {"eno1": "tor4"}, "*many?.eno1"),
    edit("hypervisors/hv1/nics/2", {"network": "quiet"}, "*hv1.vmk2", "*in hv1"),
    edit("hypervisors/hv1/nics", [{"network": "under"}], "*hv1.vmk1"),
    edit("hypervisors/hv3/vswitches/vs2", {}, "vSwitch hv3.vs2"),
    edit("hypervisors/hv2/pnics/eno1/to", "tor3", "* hv2.eno1", "* tor?.hv2.eno1"),
    edit("hypervisors/hv1/pnics/eno1/vlans", [5, 10, 100], "VLAN * on tor1.hv1.eno1"),
    edit("hypervisors/hv1/pnics/eno1/native", 5, "VLAN 5 on tor1.hv1.eno1"),
    edit("hypervisors/hv4/vswitches/vs0/teaming", "balance-xor", "* *hv4.*"),
    edit("hypervisors/hv4/vswitches/vs0/pnics", GONE),
    edit(
        "hypervisors/hv3/nics/0/network", "db", "* hv3.vmk0", "* dev vmk0 in hv3", "*hv3.hv3.vmk0"
    ),
    edit("hypervisors/hv3/nics/0/ipv4", "10.5.0.77", "* hv3.vmk0", "* dev vmk0 in hv3"),
    edit("hypervisors/hv3/nics/0/ipv6", "fd00:5::77", "address fd00:5:* on hv3.vmk0"),
    edit("hypervisors/hv3/nics/0/mac", "02:00:00:00:00:77", "hypervisor NIC hv3.vmk0"),
    edit("hypervisors/hv3/nics/0/vswitch", "vs1", "* hv3.hv3.vmk0"),
]

_IN = "nftables chain inet vnetlab *"
_AT_PORT = "nftables chain bridge vnetlab *"
_FORWARD = "nftables chain inet vnetlab forward in gw"
_POLICIES = [
    edit("security_groups/new", {}),
    edit("security_groups/sg/ingress", ["icmp"], f"{_AT_PORT} in hv1"),
    edit("security_groups/sg/egress", ["udp"], f"{_AT_PORT} in hv1"),
    edit("security_groups/sg/ingress/0/proto", "udp", f"{_AT_PORT} in hv1"),
    edit("security_groups/sg/ingress/0/ports", 443, f"{_AT_PORT} in hv1"),
    edit("security_groups/sg/ingress/0/from", "x", f"{_AT_PORT} in hv1"),
    edit("vms/c/firewall/input", ["udp"], f"{_IN} in c"),
    edit("vms/c/firewall/output", ["udp"], f"{_IN} in c"),
    edit("vms/c/firewall/default", "allow", f"{_IN} in c"),
    edit("vms/x/firewall", {"input": ["icmp"], "default": "deny"}, "nftables * in x"),
    edit("hosts/metal/firewall", {"input": ["icmp"]}, "nftables * in metal"),
    edit("routers/gw/acl/0/action", "reject", _FORWARD),
    edit("routers/gw/acl/0/proto", "udp", _FORWARD),
    edit("routers/gw/acl/0/ports", 23, _FORWARD),
    edit("routers/gw/acl/0/from", "any", _FORWARD),
    edit("routers/gw/acl/0/to", "db", _FORWARD),
    edit("routers/gw/acl", ["icmp"], _FORWARD),
    edit("routers/gw/acl_default", "deny", _FORWARD),
    edit("routers/gw/nat/masquerade", ["db"], f"{_IN} in gw"),
    edit("routers/gw/nat/forward", [], f"{_IN} in gw"),
    edit("routers/gw/nat/forward/0/network", "db", f"{_IN} in gw"),
    edit("routers/gw/nat/forward/0/proto", "udp", f"{_IN} in gw"),
    edit("routers/gw/nat/forward/0/port", 8081, f"{_IN} in gw"),
    edit("routers/gw/nat/forward/0/to", "a", f"{_IN} in gw"),
    edit("routers/gw/nat/forward/0/to_port", 81, f"{_IN} in gw"),
    edit("routers/gw/nat", GONE, f"{_IN} in gw"),
]
_ROUTERS = [
    edit("routers/new", {"to": "tor3", "networks": ["quiet"]}, "*new*"),
    edit("routers/gw/to", "tor3", "*gw.eth0*", "* in gw"),
    edit("routers/virtual/on", "hv4", "*virtual.eth0*"),
    edit("routers/virtual/vswitch", "vs1", "*virtual.eth0"),
    edit("routers/virtual/networks", [{"network": "quiet"}], "*virtual.eth0*"),
    edit("routers/virtual/external", True, "*virtual*", "*(host)*"),
    edit("routers/gw/networks/0/ipv4", "10.10.0.9", "*10.10.0.*", "* in gw", "route default *"),
    edit(
        "routers/gw/networks/0/ipv6", "fd00:10::9", "*fd00:10::*", "nft* in gw", "route default *"
    ),
    edit("routers/virtual/networks/1/network", "web", "*virtual.eth0*"),
    edit("routers/virtual/networks/1/ipv4", "10.20.0.9", "address 10.20.0.* on virtual.eth0.20"),
    edit("routers/gw/networks/2/vrf", "blue", "* gw.eth0.101"),
    edit("routers/gw/vrfs/new", {}, "* gw.new", "unreachable route default * in gw"),
    edit("routers/gw/vrfs/red/table", 1003, "* gw.red", "* gw.eth0.20", "* gw.eth0.101", "* in gw"),
    edit("routers/gw/sysctls", {"net.ipv4.icmp_ratemask": 0}, "net.ipv4.icmp_ratemask in gw"),
    edit("routers/gw/routes/0/to", "192.0.3.0/24", "route 192.0.?.0/24 * in gw"),
    edit("routers/gw/routes/0/via", "10.10.0.12", "route 192.0.2.0/24 * in gw"),
    edit("routers/gw/routes/0/metric", 7, "route 192.0.2.0/24 * in gw"),
    edit("routers/gw/routes/2/type", "prohibit", "* route 192.0.6.0/24 in gw"),
    edit("routers/gw/routes/3/vrf", "blue", "* route 192.0.8.0/24 * in gw"),
    edit("routers/gw/routes", [], "*route 192.0.?.0/24 *"),
]
_PORT_GROUPS = [
    edit("port_groups/new", {"network": "db"}),
    edit("port_groups/customers/network", "quiet", "* a.eth0", "* hv1.a.eth0", "* in a"),
    edit("port_groups/customers/isolated", True, "vSwitch port hv1.a.eth0"),
    edit("port_groups/customers/security", GONE, f"{_AT_PORT} in hv1"),
    edit("port_groups/customers/security/forged_transmits", "accept", f"{_AT_PORT} in hv1"),
    edit("port_groups/customers/security/mac_changes", "reject", f"{_AT_PORT} in hv1"),
    edit(
        "port_groups/customers/security/promiscuous",
        "accept",
        *("* on hv1.*", "* hv1.a.eth0"),
    ),
    edit("port_groups/customers/security_groups", ["other"], f"{_AT_PORT} in hv1"),
    edit("port_groups/customers/shaping", GONE, "tbf on a.eth0", "tbf on hv1.a.eth0"),
    edit("port_groups/customers/shaping/average", "60mbit", "tbf on a.eth0"),
    edit("port_groups/customers/shaping/peak", "300mbit", "tbf on *a.eth0"),
    edit("port_groups/customers/shaping/burst", "32kb", "tbf on *a.eth0"),
    edit("port_groups/customers/shaping/to_vm", GONE, "tbf on hv1.a.eth0"),
    edit("port_groups/customers/shaping/from_vm", {"average": "70mbit"}, "tbf on a.eth0"),
    edit("port_groups/customers/shaping/to_vm/average", "60mbit", "tbf on hv1.a.eth0"),
    edit("port_groups/customers/shaping/to_vm/peak", "300mbit", "tbf on hv1.a.eth0"),
    edit("port_groups/customers/shaping/to_vm/burst", "32kb", "tbf on hv1.a.eth0"),
    edit("port_groups/customers/storm_limit", GONE, "* on hv1.a.eth0"),
    edit("port_groups/customers/storm_limit/broadcast", "2mbit", "filter 1 * on hv1.a.eth0"),
    edit("port_groups/customers/storm_limit/multicast", "2mbit", "filter 2 * on hv1.a.eth0"),
    edit("port_groups/guests/trunk", [5, 10, 20, 100], "VLAN 100 on hv2.c.eth0"),
    edit("port_groups/carrier/native", 10, "VLAN 10 on hv3.e.eth0"),
]


def _machine(node: str, nic: str, *ports: str) -> list[Edit]:
    """Of a VM or host in `web`, with a tagged network `db`; `ports` change with that."""
    at, tagged = f"{node}/nics/0", f"{node}/nics/0/tagged/0"
    name = node.partition("/")[2]
    route = f"*route 192.0.?.0/24 *in {name}"
    return [
        edit(f"{node}/sysctls", {"net.ipv4.ip_forward": 1}, f"net.ipv4.*_* in {name}"),
        edit(f"{node}/routes", [], route),
        edit(f"{node}/routes/0/to", "192.0.3.0/24", route),
        edit(f"{node}/routes/0/via", "10.10.0.12", route),
        edit(f"{node}/routes/0/metric", 7, route),
        edit(f"{node}/routes/1/type", "prohibit", route),
        edit(f"{node}/run", [], f"service {name}.web"),
        edit(f"{node}/run/0/name", "other", f"service {name}.*"),
        edit(f"{node}/run/0/command", "sleep 2000", f"service {name}.web"),
        edit(f"{node}/limits", {"cpu": 2}, f"limits of {name}"),
        edit(f"{node}/limits/cpu", 2, f"limits of {name}"),
        edit(f"{node}/limits/memory", "128mib", f"limits of {name}"),
        edit(f"{at}/ipv4", "10.10.0.77", f"address 10.10.0.* on {nic}", f"* in {name}"),
        edit(f"{at}/ipv6", "fd00:10::77", f"address fd00:10:* on {nic}"),
        edit(f"{at}/mac", "02:00:00:00:00:77", f"* {nic}", f"*{name}.eth0.20"),
        edit(f"{at}/tagged", [], f"*{name}.eth0*"),
        edit(f"{tagged}/network", "quiet", f"*{nic}.20", f"*{nic}.5", *ports),
        edit(f"{tagged}/ipv4", "10.20.0.77", f"address 10.20.0.* on {nic}.20"),
        edit(f"{tagged}/ipv6", "fd00:20::77", f"address fd00:20:* on {nic}.20"),
    ]


_MACHINES = [
    *_machine("vms/c", "c.eth0"),
    *_machine("hosts/metal", "metal.eth0", "VLAN * on tor1.metal.eth0"),
    edit("vms/new", {"on": "hv1", "nics": ["quiet"]}, "*new*"),
    edit("vms/x/nics/1", {"network": "db"}, "*x.eth1"),
    edit("vms/t1/on", "hv4", "*t1.eth0", "*tenant.vtep*", "*hv4*"),
    edit("vms/crowd/count", 3, "*crowd3*"),
    edit("vms/x/nics/0/network", "db", "*x.eth0", "* in x"),
    edit("vms/d/nics/0/vswitch", "vs1", "* hv3.d.eth0"),
    edit("vms/b/nics/0/security_groups", ["other"], f"{_AT_PORT} in hv1"),
    edit("vms/b/nics/0/port_group", "customers", "* on *b.eth0", f"{_AT_PORT} in hv1"),
    edit("hosts/new", {"to": "tor3", "nics": ["quiet"]}, "*new*"),
    edit("hosts/rack/count", 3, "*rack3*"),
    edit("hosts/rack/to", "tor1", "*rack?.eth0", "* in rack?"),
    edit("hosts/rack/nics", ["quiet", "db"], "*rack?.eth1"),
    edit("hosts/metal/nics/0/to", "tor3", "*metal.eth0*", "* in metal"),
    edit("hosts/rack/nics/0/network", "db", "*rack?.eth0", "* in rack?"),
]
_WHOLE = [
    edit("name", "other", "*"),
    edit("include", ["more.yaml"], "*more*"),
    edit("expect", []),
    edit("expect/0/from", "crowd1"),
    edit("expect/0/to", "d"),
    edit("expect/0/proto", "udp"),
    edit("expect/0/port", 81),
    edit("expect/0/via", ["tor1"]),
    edit("expect/0/blocked", False),
    edit("groups/pair", ["x"]),
    edit("defaults", {"pnics": {"loss": "1%"}}, "netem on *.eno?"),
    edit("defaults/networks", {"ipv4": "10.9.0.0/24"}),
    edit("defaults/physical_switches", {"stp": True}, "physical switch tor4.br0"),
    edit("defaults/hypervisors", {"vswitches": {"vs0": {}}}),
    edit("defaults/pnics", {"rate": "2gbit"}, "tbf on *.eno?"),
    edit("defaults/vswitches", {}),
    edit("defaults/vms", {"limits": {"cpu": 1}}, "limits of *"),
    edit("defaults/run", {"command": "true"}),
    edit("defaults/nics", {"security_groups": ["other"]}, "nft* in hv?"),
    edit("defaults/tagged", {"network": "db"}),
    edit("defaults/hosts", {"limits": {"cpu": 1}}, "limits of rack?"),
    edit("defaults/routers", {"acl_default": "deny"}, "nft* in gw", "nft* in virtual"),
    edit("defaults/vrfs", {"table": 1003}),
    edit("defaults/port_groups", {"isolated": True}, "vSwitch port hv?.?.eth0"),
    edit("defaults/security_groups", {"egress": []}),
    edit("defaults/links", {"cost": 9}, "physical port tor2.tor3.1", "physical port tor3.tor2.1"),
]

EDITS = (
    *_shaping(),
    *_NETWORKS,
    *_SWITCHES,
    *_HYPERVISORS,
    *_POLICIES,
    *_ROUTERS,
    *_PORT_GROUPS,
    *_MACHINES,
    *_WHOLE,
)
