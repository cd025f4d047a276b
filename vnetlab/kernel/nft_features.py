"""EFFECT: which parts of nftables this kernel has, found by a rule with each in a scratch table."""

from __future__ import annotations

from collections.abc import Callable

from vnetlab.kernel.netfilter import open_netfilter
from vnetlab.kernel.netlink import Channel
from vnetlab.state.diff import Change
from vnetlab.state.features import Feature
from vnetlab.state.nft_rules import Expressions, counter, ct_state, masquerade, reject, rule
from vnetlab.state.nftables import NftChain, NftHook, NftTable

_SCRATCH = "scratch"


def _check(
    family: str, *expressions: Expressions, kind: str = "filter", point: str = "forward"
) -> Callable[[Channel], bool]:
    def check(_: Channel) -> bool:
        from vnetlab.kernel.nft_apply import change_nftables

        channel = open_netfilter()
        if channel is None:
            return False
        table = NftTable(netns=_SCRATCH, family=family, name=_SCRATCH)
        chain = NftChain(
            netns=_SCRATCH,
            family=family,
            table=_SCRATCH,
            name="chain",
            rules=(rule("try", *expressions),),
            hook=NftHook(kind=kind, point=point, priority=0),
        )
        try:
            change_nftables(channel, [Change(old=None, new=it) for it in (table, chain)], {})
            change_nftables(channel, [Change(old=table, new=None)], {})
        finally:
            channel.close()
        return True

    return check


NFT_CHECKS: dict[Feature, Callable[[Channel], bool]] = {
    Feature.NFT_INET: _check("inet", counter()),
    Feature.NFT_BRIDGE: _check("bridge", counter()),
    Feature.CONNTRACK: _check("inet", ct_state("established")),
    Feature.BRIDGE_CONNTRACK: _check("bridge", ct_state("established")),
    Feature.NFT_NAT: _check("inet", masquerade(), kind="nat", point="postrouting"),
    Feature.NFT_REJECT: _check("inet", reject(2, 3)),
}
"""How to find out whether the kernel has a feature; KernelRefusedError means that it has not."""
