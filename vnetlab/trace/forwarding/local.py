"""The end of a packet's way: what its destination makes of it (pure)."""

from __future__ import annotations

from vnetlab.state.objects import LinkId
from vnetlab.state.tables import Listener
from vnetlab.trace.forwarding.journey import World, finding_at, sysctl_row
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding

_ECHO_REQUESTS = {8: "net/ipv4/icmp_echo_ignore_all", 128: "net/ipv6/icmp/echo_ignore_all"}
_PROTOCOLS = {6: "tcp", 17: "udp"}


def check_delivery(world: World, netns: str, link: LinkId, packet: Packet) -> Finding | None:
    """What keeps the destination from answering."""
    key = _ECHO_REQUESTS.get(packet.icmp_type or 0)
    if key is not None:
        setting = world.sysctl(netns, key)
        if setting.value != "0":
            row = sysctl_row(setting)
            return finding_at(Reason.ECHO_IGNORED, netns, link, row, setting)
    protocol = _PROTOCOLS.get(packet.protocol)
    if protocol is None or world.answered_by_probe or world.connection is not None:
        return None
    port = packet.destination_port
    at_port = [
        it
        for it in world.tables.listeners
        if (it.netns, it.protocol, it.port) == (netns, protocol, port)
    ]
    device = world.fib.device(link)
    if any(_takes(it, packet) and it.link in (None, link.name, device.name) for it in at_port):
        return None
    elsewhere = next((it for it in at_port if it.link is None), None)
    if elsewhere:
        bound = elsewhere.address or f"IPv{elsewhere.version}"
        row = f"ss -ln: {protocol} {bound}:{port}, not {packet.destination}"
        return finding_at(Reason.WRONG_BIND_ADDRESS, netns, link, row)
    failed = [
        f"; service {it.name} failed: {it.failure}"
        for it in sorted(world.tables.state.services, key=lambda it: it.id)
        if it.netns == netns and it.failure
    ]
    row = f"ss -ln: nothing listens on {protocol} port {port}{''.join(failed)}"
    return finding_at(Reason.NO_LISTENER, netns, link, row)


def _takes(listener: Listener, packet: Packet) -> bool:
    """Whether a socket gets the packet: one for any address of IPv6 may take IPv4, too."""
    if listener.address is not None:
        return listener.address == packet.destination
    return listener.version == packet.version or listener.both_versions
