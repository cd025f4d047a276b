"""Features together: what one of them promises alone goes for it beside others, too."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.talk import reaches
from tests.kernel.test_mirrors import Sniffer
from tests.kernel.test_policies import Wire
from tests.kernel.traffic import Traffic
from vnetlab import lab as verbs

SWITCHING = ("bridge-vlan-filtering", "bond", "clsact", "flower", "gact")
MODES = ["active-backup", "802.3ad", "balance-xor"]

WATCHED = """\
networks: {web: {vlan: 10}, db: {vlan: 20}}
port_groups: {taps: {network: web, security: {promiscuous: accept}}}
physical_switches: {tor1: }
hypervisors:
  hv1: {pnics: {eno1: tor1, eno2: tor1}, vswitches: {vs0: {teaming: %s}}}
  hv2: {pnics: {eno1: tor1, eno2: tor1}, vswitches: {vs0: {teaming: %s}}}
vms:
  a: {on: hv1, nics: [{network: web, ipv4: 10.0.10.5}]}
  p: {on: hv1, nics: [{network: web, port_group: taps}]}
  b: {on: hv2, nics: [{network: web, ipv4: 10.0.10.6}]}
"""


@pytest.mark.needs(*SWITCHING, "mirred", "act-vlan")
@pytest.mark.parametrize("mode", MODES)
def test_a_promiscuous_vnic_sees_what_passes_a_team_once(bench: Bench, mode: str) -> None:
    """There and back, and when only the other pNIC is left."""
    topology = WATCHED % (mode, mode)
    bench.up(topology)
    assert bench.plan(topology).changes == ()
    with (
        Traffic.between(bench, ("a", "10.0.10.5"), ("b", "10.0.10.6")) as between,
        Sniffer.on(bench, "p") as sniffer,
    ):
        for failing in (None, "hv1.eno1"):
            if failing:
                verbs.set_link("bench", failing, bench.root, up=False)
                assert reaches(bench, "a", "b", "10.0.10.6")
                sniffer.seen()
            assert between.send(3) == [0, 1, 2]
            assert sniffer.seen() == [0, 1, 2]
            assert between.send_back(3) == [0, 1, 2]
            assert sniffer.seen() == [0, 1, 2]


ISOLATED = """\
networks: {web: {vlan: 10, ipv4: 10.10.0.0/24, ipv6: "fd00:10::/64"}}
port_groups: {customers: {network: web, isolated: true}}
physical_switches: {tor1: , tor2: {links: [{to: tor1, members: 2}]}}
hypervisors:
  hv1: {pnics: {eno1: tor1, eno2: tor1}, vswitches: {vs0: {teaming: %s}}}
  hv2: {pnics: {eno1: tor1, eno2: tor2}, vswitches: {vs0: {teaming: active-backup}}}
vms:
  a: {on: hv1, nics: [{port_group: customers, ipv4: 10.10.0.11, ipv6: "fd00:10::11"}]}
  b: {on: hv1, nics: [{port_group: customers, ipv4: 10.10.0.12, ipv6: "fd00:10::12"}]}
  c: {on: hv2, nics: [{port_group: customers, ipv4: 10.10.0.13, ipv6: "fd00:10::13"}]}
  s: {on: hv2, nics: [{network: web, ipv4: 10.10.0.14, ipv6: "fd00:10::14"}]}
"""
ADDRESSES = {"a": "10.10.0.11", "b": "10.10.0.12", "c": "10.10.0.13", "s": "10.10.0.14"}


@pytest.mark.needs(*SWITCHING)
@pytest.mark.parametrize("mode", MODES)
def test_isolated_ports_stay_apart_across_teams(bench: Bench, mode: str) -> None:
    """They reach what is not isolated and none of each other, by the reserve of a team as well."""
    bench.up(ISOLATED % mode)
    assert bench.plan(ISOLATED % mode).changes == ()
    for failing in (None, "hv2.eno1"):
        if failing:
            verbs.set_link("bench", failing, bench.root, up=False)
        for name in "abc":
            assert reaches(bench, name, "s", ADDRESSES["s"]), name
        for one, other in permutations("abc", 2):
            assert not reaches(bench, one, other, ADDRESSES[other], tries=1), (one, other)


TAGGED_OVERLAY = """\
networks:
  under: {vlan: 100, ipv4: 10.100.0.0/24}
  web: {vlan: 10, ipv4: 10.10.0.0/24}
  tenant: {vlan: 50, vxlan: 5001, underlay: under, ipv4: 10.50.0.0/24, ipv6: "fd00:50::/64"}
  second: {vlan: 51, vxlan: 5002, underlay: under, ipv4: 10.51.0.0/24}
physical_switches: {tor1: }
hypervisors: {hv1: , hv2: }
port_groups: {guests: {trunk: [50, 51]}}
vms:
  a:
    on: hv1
    nics:
      - network: web
        ipv4: 10.10.0.11
        tagged: [{network: tenant, ipv4: 10.50.0.11, ipv6: "fd00:50::11"}]
  b:
    on: hv2
    nics:
      - port_group: guests
        tagged:
          - {network: tenant, ipv4: 10.50.0.12, ipv6: "fd00:50::12"}
          - {network: second, ipv4: 10.51.0.12}
  c: {on: hv2, nics: [{network: tenant, ipv4: 10.50.0.13, ipv6: "fd00:50::13"}]}
  d: {on: hv1, nics: [{network: second, ipv4: 10.51.0.14}]}
  w: {on: hv2, nics: [{network: web, ipv4: 10.10.0.15}]}
"""


@pytest.mark.needs("vxlan", "bridge-vlan-filtering", "802.1q")
def test_a_guest_tags_its_way_into_overlays(bench: Bench) -> None:
    """Another that tags, too, and one that does not, in packets of the overlay's full MTU."""
    bench.up(TAGGED_OVERLAY)
    assert bench.plan(TAGGED_OVERLAY).changes == ()
    for source, node, address in (
        ("a", "b", "10.50.0.12"),
        ("b", "a", "fd00:50::11"),
        ("a", "c", "10.50.0.13"),
        ("c", "a", "fd00:50::11"),
        ("d", "b", "10.51.0.12"),
    ):
        assert reaches(bench, source, node, address, size=1450), (source, node)
    assert reaches(bench, "w", "a", "10.10.0.11", size=1500)
    for source, address in (("a", "10.50.0.12"), ("d", "10.51.0.12")):
        options = verbs.ProbeOptions()
        trace = verbs.probe("bench", source, address, bench.root, options=options)
        assert [packet.loss for packet in trace.packets] == [None], source


ROUTED = """\
networks:
  lan: {vlan: 10, ipv4: 10.10.0.0/24, ipv6: "fd00:10::/64"}
  wan: {vlan: 20, ipv4: 10.20.0.0/24, ipv6: "fd00:20::/64"}
  under: {vlan: 100, ipv4: 10.100.0.0/24}
physical_switches: {tor1: }
hypervisors: {hv1: , hv2: }
vms:
  client: {on: hv1, nics: [lan]}
  server: {on: hv2, nics: [wan]}
routers:
  gw:
    %s
    networks: [{network: lan%s}, {network: wan%s}]
    acl: [deny tcp/22 from lan, reject tcp/23 to server]
    nat:
      masquerade: wan
      forward: [{network: wan, port: 8080, to: client, to_port: 80}]
"""
IN_VRF = ", vrf: red"
ROUTERS = {
    "virtual": ROUTED % ("on: hv2", "", ""),
    "virtual, in an overlay": (ROUTED % ("on: hv2", "", "")).replace(
        "vlan: 10,", "vxlan: 5001, underlay: under,"
    ),
    "physical, in a VRF": ROUTED % ("vrfs: {red: }", IN_VRF, IN_VRF),
    "virtual, in a VRF": ROUTED % ("on: hv1\n    vrfs: {red: }", IN_VRF, IN_VRF),
}


@pytest.mark.needs(
    *("vxlan", "vrf", "bridge-vlan-filtering", "802.1q"),
    *("nftables-inet", "nftables-nat", "nftables-reject", "conntrack"),
)
@pytest.mark.parametrize("router", sorted(ROUTERS))
def test_acl_and_nat_work_wherever_a_router_is(bench: Bench, router: str) -> None:
    """What is denied is dropped or rejected, the rest goes out masqueraded, and a port leads in."""
    bench.up(ROUTERS[router])
    assert bench.plan(ROUTERS[router]).changes == ()
    wire = Wire(bench, bench.load(ROUTERS[router]))
    assert wire.tcp("client", "server", 80) == "gw.wan"
    assert wire.tcp("client", "server", 22) == "dropped"
    assert wire.tcp("client", "server", 23) == "rejected"
    assert wire.tcp("server", "gw.wan", 8080, at="client", at_port=80) == "server"
