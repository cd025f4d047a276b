"""The labs that the kernel tests build: small ones that tell something."""

FLAT = """\
networks:
  lan: {ipv4: 10.0.0.0/24, ipv6: "fd00::/64"}
physical_switches: {tor1: }
hypervisors:
  hv1: {pnics: {eno1: {to: tor1, rate: 1gbit}}}
  hv2: {pnics: {eno1: {to: tor1, rate: 100mbit}}}
vms:
  a: {on: hv1}
  b: {on: hv2}
"""
"""No VLAN, no delay: what any kernel with bridges can hold."""

ROUTED = """\
networks:
  web: {vlan: 10, ipv4: 10.10.0.0/24, ipv6: "fd00:10::/64"}
  db: {vlan: 20, ipv4: 10.20.0.0/24, ipv6: "fd00:20::/64"}
physical_switches: {tor1: }
hypervisors:
  hv1: {pnics: {eno1: {to: tor1, rate: 1gbit, delay: 200us}}}
  hv2: {pnics: {eno1: {to: tor1, rate: 100mbit, delay: 1ms}}}
vms:
  web1: {on: hv1, nics: [web]}
  web2: {on: hv2, nics: [web]}
  db1: {on: hv2, nics: [db]}
routers:
  gw: {to: tor1, networks: [web, db]}
"""
"""Two VLANs over shaped trunks, and a router on a stick between them."""

TWO_VSWITCHES = """\
networks:
  lan: {vlan: 10, ipv4: 10.0.0.0/24}
physical_switches: {tor1: }
hypervisors:
  hv1:
    pnics: {eno1: {to: tor1}, eno2: {to: tor1}}
    vswitches: {vs0: {pnics: [eno1]}, vs1: {pnics: [eno2]}}
vms:
  a: {on: hv1, nics: [{network: lan, vswitch: vs0}]}
"""
"""A hypervisor with two vSwitches, each with an uplink of its own."""

GATEWAY = """\
networks:
  lan: {ipv4: 10.0.0.0/24, ipv6: "fd00::/64"}
physical_switches: {tor1: }
hypervisors:
  hv1: {pnics: {eno1: {to: tor1}}}
vms:
  a: {nics: [{network: lan, ipv4: 10.0.0.5}]}
routers:
  gw: {to: tor1, networks: [lan]}
"""
"""A router in a network without a VLAN."""
