"""Topology files to begin with: commented, and right as they are (pure)."""

from __future__ import annotations

_STARTER = """\
# A lab: two networks on two hypervisors, and a router between them.
#
#   vnetlab up {file}               build it, or change it into what this file says
#   vnetlab probe web1 db1               send a packet, and see it at every hop
#   vnetlab exec web1 -- ping db1        run a command on a node
#   vnetlab down                         leave nothing behind
#
# Every key may be left out: what is not said has a default. `vnetlab validate {file}` says
# what is wrong in here, `vnetlab schema` helps editors to know it beforehand.

# include: [others.yaml] # more files, relative to this one

# What all objects of a kind have, where they do not say it themselves.
defaults:
  pnics: {{delay: 50us}}

networks:
  web: {{vlan: 10, ipv4: 10.10.0.0/24, ipv6: "fd00:10::/64"}}
  db: {{vlan: 20}} # 10.0.20.0/24; the first address is the router's
  # storage: {{vlan: 30, mtu: 9000}}

physical_switches:
  tor1:

# A hypervisor has a virtual switch (vs0), and uplinks (pNICs) to a physical switch.
hypervisors:
  hv1: # all defaults: one uplink, eno1, to the only physical switch
  hv2:
    pnics:
      eno1: {{rate: 1gbit, delay: 200us}} # in each direction; jitter, loss... too
      # eno1: {{vlans: [20]}}             # what if somebody forgets VLAN 10 here? probe web1 web2

# A VM has a vNIC for each network that it names: eth0, eth1...
vms:
  web1: {{on: hv1, nics: [web]}}
  web2: {{on: hv2, nics: [web]}}
  db1:
    on: hv2
    nics:
      - {{network: db, ipv4: 10.0.20.5}} # all other addresses are assigned, always the same ones
      # - {{network: db, security_groups: db}} # what 'db' does not allow stops at this vNIC's port
      # - storage
  # more: {{count: 4, on: hv1, nics: [web]}} # more1 to more4, and the group 'more'

routers:
  gw: {{networks: [web, db]}} # has the first address of each

groups:
  front: [web1, web2]

# security_groups: {{db: {{ingress: ["tcp/5432 from front", icmp]}}}}

# What must be so. It is checked against the rest of this file.
expect:
  - front -> db1 tcp/5432 via gw
  - web1 -> web2
"""

_STAR = """\
# A star: a physical switch in the middle, around it hypervisors with a VM each, all in one network.
#
#   vnetlab up {file}
#   vnetlab up {file} --set hosts=20     as many as you like
#
{{% set hosts = hosts | default({hosts}) %}}

networks:
  lan: {{ipv4: 10.0.0.0/16, ipv6: "fd00::/64"}}

physical_switches:
  tor1:

hypervisors:
{{% for number in range(1, hosts + 1) %}}
  hv{{{{ number }}}}: {{pnics: {{eno1: {{to: tor1, rate: 1gbit}}}}}}
{{% endfor %}}

vms:
{{% for number in range(1, hosts + 1) %}}
  vm{{{{ number }}}}: {{on: hv{{{{ number }}}}, nics: [lan]}}
{{% endfor %}}
"""


def starter(file: str) -> str:
    """The text of a commented topology that shows most of the language, to be kept as `file`."""
    return _STARTER.format(file=file)


def star(file: str, hosts: int) -> str:
    """The text of a template for that many hypervisors, with a VM each, around one switch."""
    return _STAR.format(file=file, hosts=hosts)
