"""Why an address that a namespace should have as its own is not (pure)."""

from __future__ import annotations

from vnetlab.state.objects import Address, LinkId
from vnetlab.trace.forwarding.journey import World, finding_at, sysctl_row
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding


def why_not_usable(world: World, address: Address) -> Finding | None:
    """What is wrong with an address that is meant to be; None where it is there and usable."""
    link = LinkId(netns=address.netns, name=address.link)
    ip = address.interface.ip
    for reason, refused, word in (
        (Reason.ADDRESS_TENTATIVE, world.tables.tentative, "tentative"),
        (Reason.DUPLICATE_ADDRESS, world.tables.duplicates, "dadfailed"),
    ):
        if (link, ip) in refused:
            row = f"ip address show dev {link.name}: {ip} {word}"
            return finding_at(reason, link.netns, link, row, address)
    held = world.fib.addresses_of(link)
    if any(it.interface == address.interface for it in held):
        return None
    disabled = world.conf(link, "disable_ipv6", version=6)
    if ip.version == 6 and disabled.value == "1":
        row = sysctl_row(disabled)
        return finding_at(Reason.IPV6_DISABLED, link.netns, link, row, disabled)
    twin = next((it for it in held if it.interface.ip == ip), None)
    if twin is not None:
        row = f"{twin.interface} dev {twin.link}: expected {address.interface}"
        return finding_at(Reason.WRONG_PREFIX_LENGTH, link.netns, link, row, twin)
    row = f"ip address show dev {link.name}: no {address.interface}"
    return finding_at(Reason.ADDRESS_MISSING, link.netns, link, row, address)
