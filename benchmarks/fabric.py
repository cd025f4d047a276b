"""A data centre's fabric is built, probed and torn down, on the host and in the lab kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import lab_kernel
from benchmarks.measure import VNETLAB, Refused, Scale, run
from benchmarks.result import Result, skipped

_FILE = Path(__file__).with_name("fabric.yaml")
_GUESTS, _LEAVES, _NETWORKS = 1000, 20, 10


def measure(scale: Scale) -> Iterator[Result]:
    """The seconds of `up`, of a probe from leaf to leaf over a spine, and of `down`."""
    try:
        yield _built("host", scale, vlans=True)
    except Refused:  # the kernel knows no VLANs
        yield _built("host", scale, vlans=False)
    if why := lab_kernel.missing():
        yield skipped("fabric, lab kernel", why)
        return
    with lab_kernel.ended():
        yield _built("uml", scale, vlans=True)


def _built(realm: str, scale: Scale, *, vlans: bool) -> Result:
    guests, leaves = scale.size(_GUESTS), scale.size(_LEAVES)
    given = (f"guests={guests}", f"leaves={leaves}", f"vlans={str(vlans).lower()}")
    settings = (word for text in given for word in ("--set", text))
    up = run((*VNETLAB, "up", "--realm", realm, str(_FILE), *settings))
    same_network = f"vm{leaves * _NETWORKS + 2}"
    there = same_network if guests > leaves * _NETWORKS + 1 else "gw"
    probe = run((*VNETLAB, "probe", "vm1", there))
    down = run((*VNETLAB, "down", "fabric"))
    networks = f"{_NETWORKS} networks" if vlans else "1 network, as this kernel has no VLANs"
    return Result(
        claim=f"fabric: up of {leaves} hypervisors, {guests} VMs, {networks}; realm {realm}",
        value=up,
        unit="s",
        medians=(("probe", probe), ("down", down)),
    )
