"""Pages of verdicts: traffic control: filters, shaping, delay and loss (pure)."""

from __future__ import annotations

from vnetlab.diagnosis.pages.page import Page
from vnetlab.trace.forwarding.reasons import Reason

QUEUES: dict[Reason, Page] = {
    Reason.FILTER_DROP: Page(
        phrase="has a filter that drops the packet",
        what=(
            "A filter of traffic control at the interface matches the packet, and its action is "
            "drop."
        ),
        elsewhere=(
            "VMware: 'Traffic filtering and marking' of a distributed port group.",
            "Hyper-V: 'Add-VMNetworkAdapterAcl -Action Deny'.",
            (
                "OpenStack: flower rules of Open vSwitch's hardware offload; Kubernetes: eBPF "
                "programs of a CNI plugin."
            ),
        ),
        look=(
            "tc -s filter show dev IF ingress",
            "tc -s filter show dev IF egress",
            "tc -s filter show dev IF",
        ),
        fix="Delete the filter: 'tc filter del dev IF ingress pref N'.",
    ),
    Reason.FILTER_REDIRECT: Page(
        phrase="has a filter that sends the packet elsewhere",
        what=(
            "A filter of traffic control redirects the packet to another interface, so that it "
            "does not go on here."
        ),
        elsewhere=(
            (
                "VMware: port mirroring or a service insertion of NSX (partner firewall) that "
                "takes the traffic."
            ),
            "Hyper-V: a switch extension that forwards.",
            (
                "OpenStack: tap-as-a-service, service function chains. Linux: a mirror set up with "
                "'redirect' where 'mirror' was meant."
            ),
        ),
        look=(
            "tc -s filter show dev IF ingress",
            "tc -s filter show dev IF egress",
        ),
        fix="Delete the filter, or use 'mirred egress mirror' for a copy.",
    ),
    Reason.POLICED: Page(
        phrase="polices what exceeds its rate",
        what=(
            "A policer drops what comes in faster than its rate, or is larger than its burst, "
            "without a queue."
        ),
        elsewhere=(
            "VMware: ingress or egress shaping of a port group with a small burst size.",
            "Hyper-V: 'Set-VMNetworkAdapter -StormLimit', or -MaximumBandwidth.",
            (
                "OpenStack: a QoS policy with '--max-burst-kbits' below a few packets: Open "
                "vSwitch's ingress policing."
            ),
            (
                "Cloud: an instance type's allowance of bandwidth or packets (ethtool -S: "
                "bw_in_allowance_exceeded, pps_allowance_exceeded on AWS)."
            ),
        ),
        look=("tc -s filter show dev IF ingress",),
        fix=(
            "Raise rate or burst: at least several packets of the full size; shape instead of "
            "policing."
        ),
    ),
    Reason.QUEUE_LIMIT: Page(
        phrase="has a queue or bucket that this packet does not fit",
        what=(
            "The queue's limit or the token bucket's size is smaller than the packet, or zero, so "
            "that it is dropped however low the load is. Large packets are lost and small ones "
            "pass."
        ),
        elsewhere=(
            (
                "VMware: a burst size of a few kilobytes with shaping on, and TSO making packets "
                "of 64 kB."
            ),
            "Proxmox: a 'rate=' so low that the bucket holds no full packet.",
            "OpenStack: a bandwidth limit rule without or with a tiny burst.",
        ),
        look=("tc -s -d qdisc show dev IF",),
        fix=(
            "Make burst and limit larger than the largest packet: 'tc qdisc change dev IF ... "
            "burst 32kb limit 200kb'."
        ),
    ),
    Reason.RATE_LIMIT: Page(
        phrase="is slowed down by its rate",
        what=(
            "A shaper sends no faster than its rate: packets wait in its queue, so that round "
            "trips are longer under load."
        ),
        elsewhere=(
            "VMware: traffic shaping of a port group, Network I/O Control shares or limits.",
            "Hyper-V: 'Set-VMNetworkAdapter -MaximumBandwidth', in bits per second.",
            "Proxmox: 'rate=' of the VM's NIC, in megabytes per second.",
            (
                "OpenStack: a bandwidth limit of a QoS policy. Cloud: the instance type's "
                "bandwidth after its burst is used up."
            ),
        ),
        look=(
            "tc -s -d qdisc show dev IF",
            "tc -s class show dev IF",
        ),
        fix="Raise the rate, or 'tc qdisc del dev IF root'.",
    ),
    Reason.LOSS: Page(
        phrase="loses packets",
        what=(
            "The cable or interface loses a share of the packets by chance: in a lab netem's loss, "
            "else a physical fault."
        ),
        elsewhere=(
            (
                "Hardware: dirty optics, a bad cable or transceiver, a duplex mismatch: errors and "
                "CRC counters of vmnic or switch port rise ('esxcli network nic stats get -n "
                "vmnic0', 'ethtool -S')."
            ),
            "Hypervisors: receive rings that are full (vmxnet3's ring size, virtio's queues, VMQ).",
            "Cloud: an instance above its allowance of packets per second.",
        ),
        look=(
            "tc -s qdisc show dev IF",
            "ip -s -s link show dev IF",
            "ethtool -S IF",
        ),
        fix=(
            "Take netem off ('tc qdisc del dev IF root'); outside of a lab change cable and "
            "transceiver, and look at the counters."
        ),
    ),
    Reason.DELAY: Page(
        phrase="delays packets",
        what=(
            "Packets arrive later than the cable's own time: in a lab netem's delay, else long "
            "queues or a long way."
        ),
        elsewhere=(
            "VMware: CPU ready time of the VM, latency sensitivity not high, interrupt coalescing.",
            "Hyper-V: VMQ off, so that one core takes all interrupts.",
            "Proxmox, OpenStack: virtio without vhost, CPUs that are shared too widely.",
            (
                "Cloud: another availability zone or region than expected; a full queue "
                "(bufferbloat) at a VPN."
            ),
        ),
        look=(
            "tc -s qdisc show dev IF",
            "ping -c 5 ADDRESS",
        ),
        fix="'tc qdisc del dev IF root'; outside of a lab find the queue that fills.",
    ),
    Reason.CORRUPTION: Page(
        phrase="damages packets",
        what=(
            "Bits change on the way. What is damaged has a wrong checksum and is dropped by its "
            "receiver, so that it looks like loss."
        ),
        elsewhere=(
            "Hardware: bad cables, transceivers or memory: CRC errors at the port that receives.",
            (
                "Hypervisors: broken checksum offload of a NIC's driver (VXLAN with virtio, "
                "e1000): packets leave with wrong checksums."
            ),
        ),
        look=(
            "ip -s -s link show dev IF",
            "tc -s qdisc show dev IF",
            "nstat -az IcmpInCsumErrors UdpInCsumErrors TcpInCsumErrors",
        ),
        fix=(
            "Take netem off ('tc qdisc del dev IF root'); else change the cable, or try 'ethtool "
            "-K IF tx off rx off'."
        ),
    ),
    Reason.DUPLICATION: Page(
        phrase="duplicates packets",
        what="A packet arrives twice.",
        elsewhere=(
            (
                "VMware: promiscuous mode with two uplinks in use and without "
                "Net.ReversePathFwdCheckPromisc: nested hypervisors see each broadcast twice."
            ),
            (
                "Networks: a short loop, a mirror whose copies get back into the network, a team "
                "against a switch without a LAG."
            ),
        ),
        look=(
            "tc -s qdisc show dev IF",
            "tcpdump -e -n -i IF icmp",
        ),
        fix="'tc qdisc del dev IF root'; outside of a lab look for the second way.",
    ),
    Reason.REORDERING: Page(
        phrase="reorders packets",
        what="Packets overtake each other. TCP takes it for loss and slows down.",
        elsewhere=(
            (
                "Hypervisors: a bond in mode balance-rr, which sends a flow's packets over several "
                "cables."
            ),
            "Networks: load balancing by packet and not by flow, ways of different lengths.",
        ),
        look=(
            "tc -s qdisc show dev IF",
            "nstat -az TcpExtTCPSACKReorder",
        ),
        fix=(
            "'tc qdisc del dev IF root'; hash by flow (layer3+4) in bonds and for equal-cost "
            "routes."
        ),
    ),
}
