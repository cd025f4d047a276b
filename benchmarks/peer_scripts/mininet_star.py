"""A star in Mininet, up until its input ends; a line of input gets the seconds of a pingAll."""

import sys
import time

from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo

net = Mininet(
    topo=SingleSwitchTopo(int(sys.argv[1])),
    switch=LinuxBridge,
    controller=None,
    ipBase="10.0.0.0/16",
)
net.start()
print("up", flush=True)  # noqa: T201
for _ in sys.stdin:
    start = time.perf_counter()
    net.pingAll()
    print(time.perf_counter() - start, flush=True)  # noqa: T201
net.stop()
