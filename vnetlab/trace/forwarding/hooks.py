"""The hooks of nftables on a frame's way over layer 2: families netdev and bridge (pure)."""

from __future__ import annotations

from msgspec.structs import replace

from vnetlab.state.objects import Link
from vnetlab.trace.forwarding.frames import Frame, World
from vnetlab.trace.forwarding.nft import evaluate


def ruled(
    world: World, frame: Frame, family: str, point: str, *, iif: Link | None, oif: Link | None
) -> Frame:
    """The frame behind a hook of the namespace that it is in; what stops it there is a finding."""
    ruling = evaluate(
        world.tables,
        frame.link.netns,
        family,
        point,
        frame.packet,
        iif=iif.name if iif is not None else None,
        oif=oif.name if oif is not None else None,
    )
    return replace(
        frame,
        packet=ruling.packet,
        steps=(*frame.steps, *ruling.steps),
        findings=(*frame.findings, *ruling.findings),
        unmodelled=tuple(dict.fromkeys((*frame.unmodelled, *ruling.unmodelled))),
    )
