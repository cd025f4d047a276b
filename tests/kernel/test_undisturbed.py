"""An edit touches what it is about: others' packets do not notice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.traffic import Traffic

pytestmark = pytest.mark.needs(
    *("bridge-vlan-filtering", "802.1q", "netem", "tbf", "bond", "vxlan", "vrf"),
    *(
        "clsact",
        "flower",
        "police",
        "nftables-inet",
        "nftables-bridge",
        "nftables-nat",
        "conntrack",
        "bridge-conntrack",
    ),
)

LAB = """\
networks:
  quiet: {vlan: 5, ipv4: 10.5.0.0/24}
  web: {vlan: 10, ipv4: 10.10.0.0/24, ipv6: "fd00:10::/64"}
  db: {vlan: 20, ipv4: 10.20.0.0/24}
  under: {vlan: 100, ipv4: 10.100.0.0/24, mtu: 1600}
  tenant: {vxlan: 5001, underlay: under, ipv4: 10.50.0.0/24}
physical_switches:
  tor1:
  tor2: {stp: false, links: [{to: tor1, rate: 10gbit, members: 2, lag: balance-xor}]}
hypervisors:
  hv1:
    pnics: {eno1: {to: tor1, rate: 1gbit}}
    nics: [under]
  hv2:
    pnics: {eno1: {to: tor2, rate: 1gbit, delay: 100us}, eno2: {to: tor1}}
    vswitches: {vs0: {pnics: [eno1, eno2], teaming: active-backup}, vs1: {pnics: []}}
    nics: [{network: under, vswitch: vs0}]
port_groups:
  customers:
    network: web
    isolated: false
    security: {forged_transmits: reject}
    shaping: {average: 100mbit}
    storm_limit: {broadcast: 1mbit}
  guests: {trunk: [10, 20], native: 10}
security_groups:
  sg: {ingress: [icmp, tcp/80]}
vms:
  x: {on: hv1, nics: [{network: quiet, ipv4: 10.5.0.11}]}
  y: {on: hv1, nics: [{network: quiet, ipv4: 10.5.0.12}]}
  a: {on: hv1, nics: [{port_group: customers, ipv4: 10.10.0.11}]}
  b: {on: hv1, nics: [{network: web, security_groups: sg}]}
  c:
    on: hv2
    nics:
      - {vswitch: vs0, network: web, port_group: guests, tagged: [{network: db, ipv4: 10.20.0.13}]}
    routes: [192.0.2.0/24 via 10.10.0.11]
    sysctls: {net.ipv4.ip_forward: 1}
    firewall: {input: [tcp/22, icmp], default: allow}
  t1: {on: hv1, nics: [tenant]}
  t2: {on: hv2, nics: [{network: tenant, vswitch: vs0}]}
  z: {on: hv2, nics: [{network: quiet, vswitch: vs0}]}
hosts:
  metal: {to: tor1, nics: [{network: db, rate: 1gbit}], run: ["sleep 1000"]}
routers:
  gw:
    to: tor1
    networks: [web, {network: db, vrf: red}]
    vrfs: {red: {}}
    acl: [deny tcp/22]
    nat: {masquerade: web, forward: [{network: web, port: 8080, to: 10.10.0.11}]}
"""
EDITS = {
    "prefix": ("10.20.0.0/24}", "10.20.0.0/25}"),
    "gateway": ('"fd00:10::/64"}', '"fd00:10::/64", gateway: 10.10.0.254}'),
    "mtu of a network": ("{vxlan: 5001,", "{vxlan: 5001, mtu: 1400,"),
    "VNI": ("vxlan: 5001", "vxlan: 5002"),
    "rate of a pNIC": ("rate: 1gbit, delay", "rate: 2gbit, delay"),
    "delay of a pNIC": ("delay: 100us", "delay: 200us, loss: 1%"),
    "vlans of a pNIC": ("eno2: {to: tor1}", "eno2: {to: tor1, vlans: [5, 10]}"),
    "cabling of a team": ("eno2: {to: tor1}", "eno2: {to: tor2}"),
    "LAG": ("members: 2", "members: 3"),
    "STP": ("stp: false", "stp: true"),
    "isolation": ("isolated: false", "isolated: true"),
    "security": ("forged_transmits: reject", "mac_changes: reject"),
    "shaping": ("average: 100mbit", "average: 200mbit"),
    "storm limit": ("broadcast: 1mbit", "broadcast: 2mbit"),
    "trunk": ("trunk: [10, 20]", "trunk: [10, 20, 100]"),
    "security group": ("tcp/80", "tcp/443"),
    "address": ("10.10.0.11}]", "10.10.0.99}]"),
    "tagged address": ("10.20.0.13", "10.20.0.14"),
    "route": ("192.0.2.0/24 via", "192.0.3.0/24 via"),
    "setting": ("ip_forward: 1", "ip_forward: 0"),
    "firewall": ("tcp/22, icmp]", "tcp/23, icmp]"),
    "a VM moves": (
        "t2: {on: hv2, nics: [{network: tenant, vswitch: vs0}",
        "t2: {on: hv1, nics: [tenant",
    ),
    "a VM goes": ("  t2: {on: hv2, nics: [{network: tenant, vswitch: vs0}]}\n", ""),
    "service": ("sleep 1000", "sleep 2000"),
    "VRF": ("{network: db, vrf: red}", "db"),
    "native VLAN of a pNIC": ("rate: 1gbit}}\n    nics", "rate: 1gbit, native: 20}}\n    nics"),
    "MAC of a hypervisor NIC": (
        "under, vswitch: vs0}",
        "under, vswitch: vs0, mac: '02:00:00:00:00:77'}",
    ),
    "another vSwitch": ("quiet, vswitch: vs0", "quiet, vswitch: vs1"),
    "MAC changes": ("forged_transmits: reject", "forged_transmits: reject, mac_changes: reject"),
    "promiscuous": ("forged_transmits: reject", "forged_transmits: reject, promiscuous: accept"),
    "no security": ("    security: {forged_transmits: reject}\n", ""),
    "cost of a link": ("lag: balance-xor", "lag: balance-xor, cost: 7"),
    "priority of a link": ("lag: balance-xor", "lag: balance-xor, priority: 7"),
    "mode of a LAG": ("lag: balance-xor", "lag: 802.3ad"),
    "VLANs of a link": ("lag: balance-xor", "lag: balance-xor, vlans: [5, 20]"),
    "ACL's ports": ("deny tcp/22", "deny tcp/23"),
    "ACL's source": ("deny tcp/22", "deny tcp/22 from web"),
    "ACL's protocol": ("deny tcp/22", "deny udp/22"),
    "ACL's default": ("acl: [deny", "acl_default: deny\n    acl: [deny"),
    "forwarded port": ("port: 8080", "port: 8081"),
    "forwarded protocol": ("port: 8080", "port: 8080, proto: udp"),
    "forwarded to": ("to: 10.10.0.11}", "to: 10.10.0.12}"),
    "ACL": ("deny tcp/22", "reject tcp/22"),
    "NAT": ("masquerade: web", "masquerade: db"),
}


@contextmanager
def talking(traffic: Traffic) -> Iterator[list[int]]:
    """Send a datagram every few milliseconds, and count those that arrive, in a list of two."""
    counts, stop = [0, 0], threading.Event()

    def send() -> None:
        while not stop.is_set():
            counts[0] += 1
            counts[1] += len(traffic.exchange())
            time.sleep(0.002)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield counts
    finally:
        stop.set()
        thread.join()


def test_no_packet_between_others_is_lost_while_anything_is_edited(bench: Bench) -> None:
    """Each value of the file becomes another and what it was, while two VMs talk."""
    bench.up(LAB)
    with (
        Traffic.between(bench, ("x", "10.5.0.11"), ("y", "10.5.0.12")) as traffic,
        talking(traffic) as counts,
    ):
        for name, (before, after) in EDITS.items():
            assert before in LAB, name
            edited = LAB.replace(before, after)
            sent = counts[0]
            if name == "gateway":
                edited = edited.replace(
                    "networks: [web,", "networks: [{network: web, ipv4: 10.10.0.254},"
                )
            assert bench.up(edited).changes, name
            assert bench.plan(edited).changes == (), name
            bench.up(LAB)
            assert counts[0] > sent, name
            assert counts[0] - counts[1] <= 1, f"{name}: {counts}"  # one may be on its way
    assert bench.plan(LAB).changes == ()
