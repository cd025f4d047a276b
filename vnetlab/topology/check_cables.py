"""Cables: rates, bursts, delays and what only makes sense together with them (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.cables import merge_direction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File
    from vnetlab.topology.model_cables import Cable

_FRAME_BYTES = 18  # Ethernet's header with a tag: IEEE 802.3, IEEE 802.1Q
_LONGEST_BURST_S = 270
"""tc keeps in 32 bits of 64 ns how long a burst lasts at its rate."""


def check_cables(file: File, findings: Findings) -> None:
    """Note what no cable can do."""
    largest = max((network.mtu for network in file.networks.values()), default=0)
    for path, cable in _cables(file):
        check_cable(path, cable, cable.mtu or largest, findings)


def check_cable(path: Path, cable: Cable, mtu: int, findings: Findings) -> None:
    """Note what the cable at `path`, whose packets have up to `mtu` bytes, cannot do."""
    merged = {
        "out": merge_direction(cable, cable.out),
        "in": merge_direction(cable, cable.in_),
    }
    for name, direction in merged.items():
        others = [other for other in merged if other != name]
        _check_direction((*path, name), direction, mtu, findings)
        for key in ("burst", "queue"):
            said_here = findings.has((*path, name, key))
            rated = [merged[it].rate for it in (name, *([] if said_here else others))]
            if getattr(direction, key) is not None and not any(rated):
                text = "got no rate, expected one: this is about what waits for it"
                findings.add(_place((*path, name, key), findings), text, fix="add a rate")


def _check_direction(path: Path, cable: Cable, mtu: int, findings: Findings) -> None:
    delay, jitter = cable.delay or 0, cable.jitter or 0
    if jitter > delay:
        text = "got more than the delay, expected the delay at most"
        fix = "a packet cannot arrive before it is sent: add a longer delay"
        findings.add(_place((*path, "jitter"), findings), text, fix=fix)
    if cable.reordering and not delay:
        text = "got no delay, expected one: packets overtake others that are delayed"
        findings.add(_place((*path, "reordering"), findings), text, fix="add a delay")
    if cable.burst is not None and cable.rate is not None:
        check_burst(_place((*path, "burst"), findings), cable.burst, cable.rate, mtu, findings)


def check_burst(path: Path, burst: int, rate: int, mtu: int, findings: Findings) -> None:
    """Note a burst that no packet of `mtu` bytes passes, or that lasts too long."""
    if burst < mtu + _FRAME_BYTES:
        text = f"got {burst} bytes, expected {mtu + _FRAME_BYTES} or more: a packet of {mtu} bytes"
        findings.add(path, f"{text} would never pass", fix="leave it out for a good default")
    elif burst * 8 > rate * _LONGEST_BURST_S:
        text = f"got more than the rate sends in {_LONGEST_BURST_S} s, expected less"
        findings.add(path, text)


def _place(path: Path, findings: Findings) -> Path:
    """The key at `path`, of one direction; where the file says it for both, that one."""
    return path if findings.has(path) else (*path[:-2], path[-1])


def _cables(file: File) -> Iterator[tuple[Path, Cable]]:
    for name, switch in file.physical_switches.items():
        for index, link in enumerate(switch.links):
            yield ("physical_switches", name, "links", index), link
    for name, hypervisor in file.hypervisors.items():
        for pnic_name, pnic in (hypervisor.pnics or {}).items():
            yield ("hypervisors", name, "pnics", pnic_name), pnic
