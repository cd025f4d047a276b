"""A model of the Linux datapath: what the kernel will do with a packet, and by which row (pure)."""
