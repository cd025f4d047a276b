"""Topology files of known shapes, to begin with: templates, whose size `--set` changes (pure).

Their loops are real ones: STP on the switches leaves one way, and takes another when it breaks.
"""

from __future__ import annotations

from string import Template

_LEAF_SPINE = """\
# A leaf-spine network: every leaf switch is linked to every spine switch, and has a hypervisor.
#
#   spine1   spine2       spine1 is the root of the spanning tree (STP): of each leaf's links one
#     | \\     / |         carries traffic, the others wait for it to fail
#     |   \\ /   |
#     |   / \\   |
#   leaf1     leaf2 ...
#     |         |
#    hv1       hv2 ...    each with its share of the VMs, which are in two networks by turns
#
#   vnetlab up $file
#   vnetlab up $file --set leaves=6 --set vms=30
#   vnetlab probe vm1 vm3              from leaf to leaf, over spine1
#   vnetlab probe vm1 vm2              from network to network, through the router gw
#   vnetlab link down leaf1.spine1.1   break the way that is used; after seconds there is another
#
{% set leaves = leaves | default($leaves) %}
{% set spines = spines | default($spines) %}
{% set vms = vms | default($vms) %}

networks:
  web: {vlan: 10, ipv4: 10.10.0.0/16, ipv6: "fd00:10::/64"}
  db: {vlan: 20, ipv4: 10.20.0.0/16, ipv6: "fd00:20::/64"}

defaults:
  pnics: {rate: 10gbit, delay: 10us}
  links: {rate: 40gbit, delay: 5us}

physical_switches:
{% for spine in range(1, spines + 1) %}
  spine{{ spine }}:
    stp: {priority: {{ [spine, 7] | min * 4096 }}, forward_delay: 2s, max_age: 6s, hello_time: 1s}
{% endfor %}
{% for leaf in range(1, leaves + 1) %}
  leaf{{ leaf }}:
    stp: {forward_delay: 2s}
    links:
{% for spine in range(1, spines + 1) %}
      - spine{{ spine }}
{% endfor %}
{% endfor %}

hypervisors:
{% for leaf in range(1, leaves + 1) %}
  hv{{ leaf }}: {pnics: {eno1: {to: leaf{{ leaf }}}}}
{% endfor %}

vms:
{% for vm in range(1, vms + 1) %}
  vm{{ vm }}: {on: hv{{ (vm - 1) // 2 % leaves + 1 }}, nics: [{{ 'web' if vm % 2 else 'db' }}]}
{% endfor %}

routers:
  gw: {to: spine1}
"""

_FAT_TREE = """\
# A fat tree of $k-port switches: $k pods, each with $half edge and $half aggregation switches, and
# $cores core switches above them. Every edge switch has $half bare-metal hosts: $hosts in all.
#
#   vnetlab up $file
#   vnetlab up $file --set k=2    another size; k is even
#   vnetlab probe h1-1-1 h$k-$half-$half          from pod to pod, over a core switch
#
# Between two pods there are $cores ways. STP leaves one of them, over core1, its root. Break it
# (vnetlab link down agg1-1.core1.1), and after some seconds there is another.
#
{% set k = k | default($k) %}
{% set half = k // 2 %}

networks:
  lan: {ipv4: 10.0.0.0/16, ipv6: "fd00::/64"}

physical_switches:
{% for core in range(1, half * half + 1) %}
  core{{ core }}:
    stp: {priority: {{ [core, 7] | min * 4096 }}, forward_delay: 2s, max_age: 6s, hello_time: 1s}
{% endfor %}
{% for pod in range(1, k + 1) %}
{% for number in range(1, half + 1) %}
  agg{{ pod }}-{{ number }}:
    stp: {forward_delay: 2s}
    links:
{% for core in range(half * (number - 1) + 1, half * number + 1) %}
      - core{{ core }}
{% endfor %}
  edge{{ pod }}-{{ number }}:
    stp: {forward_delay: 2s}
    links:
{% for agg in range(1, half + 1) %}
      - agg{{ pod }}-{{ agg }}
{% endfor %}
{% endfor %}
{% endfor %}

hosts:
{% for pod in range(1, k + 1) %}
{% for edge in range(1, half + 1) %}
{% for host in range(1, half + 1) %}
  h{{ pod }}-{{ edge }}-{{ host }}: {to: edge{{ pod }}-{{ edge }}, nics: [lan]}
{% endfor %}
{% endfor %}
{% endfor %}
"""


def leaf_spine(file: str, *, leaves: int, spines: int, vms: int) -> str:
    """The text of a template for that many switches of both kinds and VMs over all hypervisors."""
    return _fill(_LEAF_SPINE, file=file, leaves=leaves, spines=spines, vms=vms)


def fat_tree(file: str, *, k: int) -> str:
    """The text of a template for a fat tree of `k`-port switches; `k` is even."""
    half = k // 2
    return _fill(_FAT_TREE, file=file, k=k, half=half, cores=half * half, hosts=k * half * half)


def _fill(text: str, **values: object) -> str:
    return Template(text).substitute(values)
