"""docs/topology.md: the reference page of the topology language, made from its schema.

`python -m vnetlab.topology.reference` writes it anew (scripts/fix does), and a test compares them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vnetlab.topology.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).parents[2] / "docs" / "topology.md"

EXAMPLES = {
    "network": """\
networks:
  web: {vlan: 10, ipv4: 10.10.0.0/24, ipv6: "fd00:10::/64", mtu: 9000}
  db: {vlan: 20, gateway: 10.0.20.254}
routers: {gw: }
""",
    "physical switch": """\
physical_switches: {tor1: , tor2: }
hypervisors: {hv1: {pnics: {eno1: tor1}}, hv2: {pnics: {eno1: tor2}}}
""",
    "spanning tree": """\
physical_switches:
  core: {stp: {priority: 4096, forward_delay: 2s}}   # the root
  tor1: {stp: true, links: [core]}
  tor2: {stp: true, links: [core, tor1]}
vms: {a: }
hypervisors: {hv1: {pnics: {eno1: tor1}}}
""",
    "switch link": """\
physical_switches:
  core:
  tor1: {links: [core]}                   # the same as {to: core}
  tor2: {links: [{to: core, members: 2, lag: balance-xor, rate: 10gbit}]}
hypervisors: {hv1: {pnics: {eno1: tor1}}, hv2: {pnics: {eno1: tor2}}}
""",
    "hypervisor": """\
hypervisors:
  hv1:                                    # all defaults: eno1 to the only switch, vs0
  hv2: {pnics: {eno1: {rate: 10gbit}}}
  hv3: {pnics: {}}                        # no uplink
""",
    "VRF": """\
networks: {red: {vlan: 10}, blue: {vlan: 20}}
routers:
  gw:
    networks: [{network: red, vrf: customer-a}, {network: blue, vrf: customer-b}]
    vrfs: {customer-a: , customer-b: {table: 20}}
""",
    "router's route": """\
networks: {red: {vlan: 10, ipv4: 10.1.0.0/24}}
routers:
  gw:
    networks: [{network: red, vrf: customer-a}]
    vrfs: {customer-a: }
    routes: [{to: 10.9.0.0/16, via: 10.1.0.9, vrf: customer-a}]
""",
    "VXLAN": """\
networks:
  under: {vlan: 100, mtu: 1600}
  tenant: {vxlan: {id: 5001, port: 8472}, underlay: under}   # packets of up to 1550 bytes
hypervisors: {hv1: , hv2: }
vms: {a: {on: hv1, nics: [tenant]}, b: {on: hv2, nics: [tenant]}}
""",
    "hypervisor NIC": """\
networks: {under: {vlan: 100, ipv4: 10.100.0.0/24}, lan: {vlan: 10}}
hypervisors:
  hv1: {nics: [under]}                    # vmk0, hv1 and hv1.under by name
  hv2: {nics: [{network: under, ipv4: 10.100.0.2}, lan]}
""",
    "pNIC": """\
physical_switches: {tor1: , tor2: }
hypervisors:
  hv1:
    pnics:
      eno1: tor1                          # the same as {to: tor1}
      eno2: {to: tor2, rate: 1gbit, delay: 200us, loss: 0.1%, mtu: 9000}
    vswitches: {vs0: {pnics: [eno1]}, vs1: {pnics: [eno2]}}
""",
    "direction": """\
hypervisors:
  hv1:
    pnics:
      eno1: {rate: 1gbit, queue: 200kb, out: {delay: 1ms, jitter: 200us}, in: {rate: 100mbit}}
vms: {a: , b: }
""",
    "vSwitch": """\
hypervisors:
  hv1:
    pnics: {eno1: , eno2: }
    vswitches:
      vs0: {pnics: [eno1]}
      storage: {pnics: [eno2]}
      internal: {pnics: []}
""",
    "VM": """\
networks: {web: {vlan: 10}, storage: {vlan: 30}}
hypervisors: {hv1: , hv2: }
vms:
  web1: {on: hv1, nics: [web]}
  db1: {on: hv2, nics: [web, storage]}    # db1, and db1.storage
""",
    "service": """\
vms:
  web1:
    run:
      - python3 -m http.server 80           # named python3
      - {name: probe, command: "sleep 5; ping -c 1 web2"}
  web2:
""",
    "limits": """\
vms:
  small: {limits: {cpu: 0.5, memory: 256mb}}
""",
    "vNIC": """\
networks: {lan: {ipv4: 10.0.0.0/24}}
vms:
  a: {nics: [lan]}                        # the same as {network: lan}
  b: {nics: [{ipv4: 10.0.0.5, mac: "02:00:00:00:00:05"}]}
""",
    "defaults": """\
defaults:
  networks: {mtu: 9000}
  pnics: {rate: 10gbit, delay: 5us}
hypervisors: {hv: {count: 3}}             # hv1, hv2, hv3, with a pNIC of 10 Gbit/s each
vms: {web: {on: hv, count: 6}}            # web1... web6, two on each hypervisor
groups: {front: [web, gw]}
routers: {gw: }
""",
    "any nics": """\
defaults: {nics: {network: web}}
networks: {web: {vlan: 10}, db: {vlan: 20}}
vms: {a: , b: , c: {nics: [db]}}          # a and b are in web
""",
    "expectation": """\
networks: {web: {vlan: 10}, db: {vlan: 20}}
vms: {web: {count: 3, nics: [web]}, db1: {nics: [db]}}
routers: {gw: }
expect:
  - web -> web                            # each of the group reaches each other
  - web -> db1 tcp/5432 via gw
  - db1 -x- web tcp/22                    # must be blocked
  - {from: db1, to: 10.0.10.1, proto: udp, port: 53, blocked: true}
""",
    "security group": """\
vms:
  web1: {nics: [{security_groups: web}]}
  db1: {nics: [{security_groups: [db, admin]}]}
  client:
security_groups:
  web: {ingress: ["tcp/80,443", icmp]}
  db: {ingress: [tcp/5432 from web1], egress: []}
  admin: {ingress: [{proto: tcp, ports: [22], from: 10.0.0.0/8}]}
""",
    "rule": """\
networks: {web: {vlan: 10}, db: {vlan: 20}}
vms: {web1: {nics: [web]}, db1: {nics: [db]}}
routers:
  gw:
    acl:
      - allow tcp/5432 from web1 to db1
      - {action: reject, proto: tcp, ports: "1-1023,5432", to: db}
      - deny any from 10.0.10.128/25
    acl_default: allow
""",
    "firewall": """\
vms:
  a: {firewall: {input: [tcp/22 from b, icmp], default: deny}}
  b: {firewall: {output: [deny udp/53]}}
""",
    "NAT": """\
networks: {home: {vlan: 10}, wan: {vlan: 20}}
vms: {server: {nics: [home]}, website: {nics: [wan]}}
routers:
  gw:
    nat:
      masquerade: wan
      forward: [{network: wan, port: 8080, to: server, to_port: 80}]
""",
    "port forward": """\
networks: {home: {vlan: 10}, wan: {vlan: 20}}
vms: {server: {nics: [home]}}
routers:
  gw: {nat: {forward: [{network: wan, proto: udp, port: 53, to: server}]}}
""",
    "tagged network": """\
networks: {lan: {vlan: 1}, web: {vlan: 10}, db: {vlan: 20, ipv4: 10.20.0.0/24}}
vms:
  fw: {nics: [{network: lan, tagged: [web, {network: db, ipv4: 10.20.0.7}]}]}
  db1: {nics: [db]}                       # fw has eth0, eth0.10 and eth0.20
""",
    "port group": """\
networks: {lan: {vlan: 1}, web: {vlan: 10}, db: {vlan: 20}}
port_groups:
  customers: {network: web, isolated: true}
  guests: {trunk: all, native: 1}
vms:
  a: {nics: [{port_group: customers}]}
  fw: {nics: [{network: lan, port_group: guests, tagged: [web, db]}]}
""",
    "vNIC shaping": """\
port_groups:
  small: {shaping: {average: 100mbit, peak: 200mbit, burst: 100kb}}
  down: {shaping: {to_vm: {average: 50mbit}, from_vm: {average: 10mbit}}}
vms: {a: {nics: [{port_group: small}]}, b: {nics: [{port_group: down}]}}
""",
    "limit": """\
port_groups: {uploads: {shaping: {from_vm: {average: 10mbit, peak: 20mbit}}}}
vms: {a: {nics: [{port_group: uploads}]}, b: }
""",
    "storm limit": """\
port_groups: {calm: {storm_limit: {broadcast: 1mbit, multicast: 1mbit}}}
vms: {a: {nics: [{port_group: calm}]}, b: }
""",
    "security": """\
port_groups:
  locked: {security: {forged_transmits: reject, mac_changes: reject}}
vms: {a: {nics: [{port_group: locked}]}, b: }
""",
    "route": """\
networks: {lan: {ipv4: 10.0.0.0/24}}
vms:
  fw: {nics: [{ipv4: 10.0.0.7}], sysctls: {net.ipv4.ip_forward: 1}}
  a:
    routes:
      - 10.9.0.0/16 via 10.0.0.7          # the same as {to: 10.9.0.0/16, via: 10.0.0.7}
      - default via 10.0.0.7 metric 100
      - blackhole 10.8.0.0/16
""",
    "host": """\
networks: {web: {vlan: 10}, db: {vlan: 20}}
physical_switches: {tor1: , tor2: }
hypervisors: {hv1: {pnics: {eno1: tor1}}}
vms: {web1: {nics: [web]}}
hosts:
  db1: {to: tor1, nics: [db]}             # an access port of tor1
  nas: {nics: [{to: tor2, network: db, rate: 10gbit}, {to: tor1, tagged: [web]}]}
""",
    "host NIC": """\
networks: {lan: }
hosts: {a: {nics: [{network: lan, delay: 1ms, out: {loss: 1%}}]}, b: }
""",
    "router interface": """\
networks: {web: {vlan: 10}, db: {vlan: 20, ipv4: 10.20.0.0/24}}
routers:
  gw: {networks: [web, db]}
  other: {networks: [{network: db, ipv4: 10.20.0.254}, web]}
""",
    "router": """\
networks: {web: {vlan: 10}, db: {vlan: 20}, lab: {vlan: 30}}
routers:
  gw: {networks: [web, db]}
""",
}
"""A file for each kind of object, whole, by the title that the kind has in the schema."""

_INTRODUCTION = """\
<!-- Made from the model by 'python -m vnetlab.topology.reference'; scripts/fix runs it. -->

# Topology files

A topology file is YAML. Every key may be left out, and so may a value: `hv1:` is a hypervisor with
all the defaults. What is needed and not there is made, and what cannot be guessed is asked for.

- Nodes (VMs, hosts, routers, hypervisors, physical switches) have names of their own: none has
  another's.
- A file with `{{`, `{%` or `{#` in it is a Jinja2 template; its variables come from `--set
  NAME=VALUE` and `--vars FILE`.
- `include` names files that are put together with this one; `defaults` says once what all objects
  of a kind have; `count` makes many of one; `groups` gives sets of nodes a name.
- Numbers, `true` and `null` are YAML 1.2's: `no` and `10:30` are text, `010` is ten. A key twice is
  an error.
- `vnetlab schema` prints all this for editors, `vnetlab validate FILE` says what is wrong in a
  file, and `vnetlab new FILE` writes one to begin with.

## Editing the file of a running lab

`vnetlab up` changes what an edit is about, and nothing else; `vnetlab plan` shows it beforehand.
Most values are changed in place. In these cases something is made anew instead, and what passes
just there is interrupted:

- Another `teaming` or `lag`: the team or the LAG, at both ends, with its VLANs. What takes it waits
  until its members are back in it (with `802.3ad`, for LACP too).
- The first or the last of a cable's `delay`, `jitter`, `loss`, `corruption`, `duplication` and
  `reordering`, where it has a `rate`: the queue of the rate, in each direction concerned. Packets
  that wait in it are lost. Other changes of these, and of the rate itself, keep the queue.
- Another VLAN of a router's or guest's interface, and another `vxlan`: this interface, with its
  addresses and routes.
"""
_KEYS = "\n| key | value | default | meaning |\n|---|---|---|---|"
_SINGLE = ("string", "integer", "number", "boolean")
_VALUES = "\n## Values\n\n| value | meaning | examples |\n|---|---|---|"


def render_reference() -> str:
    """The page, in Markdown."""
    schema = json_schema()
    lines = [_INTRODUCTION, "## The whole file", *_keys(schema)]
    for part in _parts(schema, schema, set()):
        title = part["title"]
        lines += [f"\n## {title[0].upper()}{title[1:]}" if title.islower() else f"\n## {title}"]
        lines += ["", part["description"], *_keys(part)]
        lines += ["\n```yaml", EXAMPLES[title].rstrip(), "```"]
    lines += _values(schema)
    text = "\n".join(lines) + "\n"
    for name, part in schema["$defs"].items():
        text = text.replace(f"`#/$defs/{name}`", _link(part["title"]))
    return text


def _link(title: str) -> str:
    return f"[{title}](#{title.lower().replace(' ', '-')})"


def _parts(within: Any, whole: Any, seen: set[str]) -> Iterator[Any]:
    """The kinds of objects in the order in which keys lead to them, each once."""
    for described in within["properties"].values():
        for reference in _references(described):
            if reference not in seen:
                seen.add(reference)
                part = whole["$defs"][reference]
                yield part
                yield from _parts(part, whole, seen)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for inner in schema.values():
            yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)


def _keys(part: Any) -> Iterator[str]:
    if part["properties"]:
        yield _KEYS
    for key, described in part["properties"].items():
        text, _, default = described["description"].partition(" Default: ")
        shown = default.removesuffix(".") or str(described.get("default", "none"))
        yield f"| `{key}` | {_word(described)} | {shown} | {text} |"


def _word(schema: Any) -> str:
    """What a value is: `name`, `list: VLAN id`, `vNIC by name`."""
    if "$ref" in schema:
        return f"`{schema['$ref']}`"
    if "anyOf" in schema:
        words = [_word(form) for form in schema["anyOf"] if form.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    if schema.get("type") == "object":
        return f"{_word(schema['additionalProperties'])}, by name"
    if schema.get("type") == "array":
        return f"list: {_word(schema['items'])}"
    return str(schema.get("title", schema.get("const")))


def _values(schema: Any) -> Iterator[str]:
    """The kinds of single values, in the order in which keys need them."""
    yield _VALUES
    kinds = {kind["title"]: kind for kind in _find_titled(schema)}
    for title, kind in kinds.items():
        examples = ", ".join(f"`{example}`" for example in kind["examples"])
        limits = f"{kind['minimum']}-{kind['maximum']}. " if "minimum" in kind else ""
        yield f"| {title} | {limits}{kind['description']} | {examples} |"


def _find_titled(schema: Any) -> Iterator[Any]:
    """Every description of a single value that has a title, wherever it stands."""
    if isinstance(schema, list):
        for inner in schema:
            yield from _find_titled(inner)
    elif isinstance(schema, dict):
        if schema.get("type") in _SINGLE and "title" in schema:
            yield schema
        for inner in schema.values():
            yield from _find_titled(inner)


if __name__ == "__main__":
    FILE.write_text(render_reference(), encoding="utf-8")
