"""The verbs: what can be done with a lab. The command line calls these, and so may you.

Everything here happens in the kernel that the calling process runs on; how a command gets into
another one is the business of `vnetlab.realm`. `root` is the directory that holds this kernel's
labs (`vnetlab.realm.rundir`). Heavy libraries are imported by the verbs that use them.
"""

from vnetlab.lab.building import down, plan, repair, restart, up
from vnetlab.lab.changing import change, copied, forget, set_link
from vnetlab.lab.looking import Snapshot, labs, links, logs, nodes, snapshot, status
from vnetlab.lab.probing import ProbeOptions, become, make_request, probe, probe_pairs

__all__ = [
    "ProbeOptions",
    "Snapshot",
    "become",
    "change",
    "copied",
    "down",
    "forget",
    "labs",
    "links",
    "logs",
    "make_request",
    "nodes",
    "plan",
    "probe",
    "probe_pairs",
    "repair",
    "restart",
    "set_link",
    "snapshot",
    "status",
    "up",
]
