"""What the kernel itself says of a packet's way through nftables (pure)."""

from __future__ import annotations

from msgspec import Struct

from vnetlab.state.nftables import NftChain, NftRule


class TracedRule(Struct, frozen=True, kw_only=True):
    """A rule that a probe's packet matched, or the policy or return that ended a chain.

    `word` is the packet's marker (`vnetlab.wire.marker`), None for an ICMP error that quotes it.
    `verdict` is in nft's words (`accept`, `drop`, `jump web1.eth0-ingress`, `continue`). `number`
    counts the rules of `chain` from 1; without `rule` it is the chain's end. `iif` and `oif` are
    the links at that hook, None where there is none. Source: NFT_MSG_TRACE, nft(8), "tracing".
    """

    netns: str
    word: int | None
    chain: NftChain
    verdict: str
    number: int = 0
    rule: NftRule | None = None
    iif: str | None = None
    oif: str | None = None
