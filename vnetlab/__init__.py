"""vnetlab: build a virtualized network in a second and see a packet at every layer."""

__version__ = "0.1.0"
