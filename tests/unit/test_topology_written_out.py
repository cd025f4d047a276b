"""What is said once means the same as what is written out, object by object."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from vnetlab.topology.load import load
from vnetlab.topology.topology import Topology

SHAPING: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "rate": st.sampled_from(("1gbit", "1mbit", None)),
        "delay": st.sampled_from(("1ms", "2ms")),
        "mtu": st.sampled_from((1400, 9000)),
    },
)
NETWORK: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"mtu": st.sampled_from((1400, 9000))}
)
VM: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"on": st.just("hv1"), "nics": st.lists(st.sampled_from(("a", "b")), max_size=2)}
)


@st.composite
def labs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A file with defaults and counts, and the same without."""
    defaults: dict[str, dict[str, Any]] = {
        "networks": draw(NETWORK),
        "pnics": draw(SHAPING),
        "vms": {"nics": ["a"]} | draw(VM) | {"on": "hv2"},
    }
    networks = {name: {"vlan": i + 10} | draw(NETWORK) for i, name in enumerate("ab")}
    pnics = {name: draw(SHAPING) for name in ("hv1", "hv2")}
    vms = {name: draw(VM) for name in ("x", "y", "z")}
    counts = {name: draw(st.none() | st.integers(1, 4)) for name in vms}
    short = {
        "defaults": defaults,
        "networks": networks,
        "hypervisors": {name: {"pnics": {"eno1": pnic}} for name, pnic in pnics.items()},
        "vms": {name: vm | {"count": counts[name]} for name, vm in vms.items()},
    }
    full_vms = {name: defaults["vms"] | vm for name, vm in vms.items()}
    long = {
        "networks": {name: defaults["networks"] | network for name, network in networks.items()},
        "hypervisors": {
            name: {"pnics": {"eno1": defaults["pnics"] | pnic}} for name, pnic in pnics.items()
        },
        "vms": {
            f"{name}{number}": vm
            for name, vm in full_vms.items()
            for number in ([""] if counts[name] is None else range(1, (counts[name] or 0) + 1))
        },
    }
    return short, long


def load_content(*files: dict[str, Any]) -> Topology:
    """The topology in the first of the files lab.yaml, 1.yaml...; where it came from left out."""
    with TemporaryDirectory() as folder:
        for index, content in enumerate(files):
            path = Path(folder) / (f"{index}.yaml" if index else "lab.yaml")
            path.write_text(json.dumps(content))
        return replace(load(Path(folder) / "lab.yaml"), source="", lines=(), groups=())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(both=labs())
def test_defaults_and_counts_mean_what_is_written_out(
    both: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """The resolved topologies are equal, addresses and all."""
    short, long = both
    assert load_content(short) == load_content(long)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(both=labs(), data=st.data())
def test_a_file_in_parts_is_the_file(
    both: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    """However its objects are shared out, in their order, to a file and one that it includes."""
    whole = both[0]
    outer: dict[str, Any] = {"include": "1.yaml"}
    inner: dict[str, Any] = {}
    for section, objects in whole.items():
        cut = data.draw(st.integers(0, len(objects)))
        for index, (name, content) in enumerate(objects.items()):
            (inner if index < cut else outer).setdefault(section, {})[name] = content
    assert load_content(outer, inner) == load_content(whole)
