"""What a bridge, a port of one and a bond are set to (pure).

Each is a value of a link. Its defaults are the kernel's own, so that nothing needs to be said of
a link for which nothing else is wanted.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct
from msgspec.structs import replace


class PortState(Enum):
    """What a bridge port does with frames; the value is the kernel's BR_STATE_*."""

    DISABLED = 0
    LISTENING = 1
    LEARNING = 2
    FORWARDING = 3
    BLOCKING = 4


class BondMode(Enum):
    """How a bond shares out frames to its slaves; the value is the kernel's BOND_MODE_*."""

    BALANCE_RR = 0
    ACTIVE_BACKUP = 1
    BALANCE_XOR = 2
    BROADCAST = 3
    LACP = 4
    BALANCE_TLB = 5
    BALANCE_ALB = 6


class Activity(Enum):
    """What a port of a bridge or slave of a bond does at the moment: no setting, and never drift.

    BLOCKED: the spanning tree does not need it, or it is a backup; SETTLING: that is not yet known.
    """

    PASSING = "passing"
    BLOCKED = "blocked"
    SETTLING = "settling"


class BridgeSettings(Struct, frozen=True, kw_only=True):
    """What a bridge is set to besides VLAN filtering: ip-link(8), `type bridge`.

    Times are in centiseconds, as the kernel has them (USER_HZ). One is None where it is observed
    and cannot be known: the ageing time during a change of the spanning tree, and on some kernels
    the others of a bridge that is not the root.
    """

    stp: bool = False
    priority: int = 32768
    hello_time_cs: int | None = 200
    max_age_cs: int | None = 2000
    forward_delay_cs: int | None = 1500
    ageing_time_cs: int | None = 30000
    group_forward_mask: int = 0
    multicast_snooping: bool = False
    multicast_querier: bool = False
    vlan_protocol: int = 0x8100
    nf_call_iptables: bool = False
    nf_call_ip6tables: bool = False
    nf_call_arptables: bool = False


def with_unknown_as(known: BridgeSettings, settings: BridgeSettings) -> BridgeSettings:
    """`settings` with what is not known of them as in `known`."""
    unknown = [name for name in settings.__struct_fields__ if getattr(settings, name) is None]
    return replace(settings, **{name: getattr(known, name) for name in unknown})


class BridgePort(Struct, frozen=True, kw_only=True):
    """What a bridge port is set to: bridge(8), `bridge link`.

    `state` is FORWARDING wherever the kernel decides on it: with STP, and on a link that is down.
    `backup_port` is the index of the link that takes over its frames, or 0.
    `cost` is None for the one that the kernel gives a veth or VXLAN link. Others, whose speed comes
    and goes, are told theirs.
    """

    state: PortState = PortState.FORWARDING
    cost: int | None = None
    priority: int = 32
    learning: bool = True
    unicast_flood: bool = True
    multicast_flood: bool = True
    broadcast_flood: bool = True
    isolated: bool = False
    hairpin: bool = False
    bpdu_guard: bool = False
    root_block: bool = False
    fast_leave: bool = False
    locked: bool = False
    neighbour_suppression: bool = False
    proxy_arp: bool = False
    proxy_arp_wifi: bool = False
    multicast_to_unicast: bool = False
    vlan_tunnel: bool = False
    multicast_router: int = 1
    group_forward_mask: int = 0
    backup_port: int = 0


class Bond(Struct, frozen=True, kw_only=True):
    """What a bond is set to: ip-link(8), `type bond`.

    Policies and selections are the kernel's numbers; `primary` is the index of a slave, or 0.
    """

    mode: BondMode
    miimon_ms: int = 100
    up_delay_ms: int = 0
    down_delay_ms: int = 0
    arp_interval_ms: int = 0
    fast_lacp: bool = False
    hash_policy: int = 0
    min_links: int = 0
    all_slaves_active: bool = False
    fail_over_mac: int = 0
    primary: int = 0
    primary_reselect: int = 0
    arp_validate: int = 0
    arp_all_targets: int = 0
    resend_igmp: int = 1
    peer_notices: int = 1
    packets_per_slave: int = 1
    learning_interval_s: int = 1
    dynamic_balance: bool = True
    lacp_selection: int = 0
    lacp_system_priority: int = 65535
    lacp_user_key: int = 0
    lacp_active: bool = True
    missed_max: int = 2
    peer_notice_delay_ms: int = 0

    @property
    def fixed(self) -> tuple[object, ...]:
        """What a bond that is up or has slaves keeps: drivers/net/bonding/bond_options.c."""
        return (
            *(self.mode, self.fast_lacp, self.fail_over_mac, self.packets_per_slave),
            *(self.dynamic_balance, self.lacp_selection, self.lacp_active),
            *(self.lacp_system_priority, self.lacp_user_key, self.arp_validate),
        )


LAYER_3_AND_4 = 1
"""A bond's hash policy by addresses and ports: BOND_XMIT_POLICY_LAYER34."""

PLAIN_BRIDGE = BridgeSettings()
PLAIN_PORT = BridgePort()
"""What no setting is wanted for: the kernel's own."""
