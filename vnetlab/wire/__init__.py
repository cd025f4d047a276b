"""Real packets: how a probe is sent, seen and answered ; the only user of scapy (effect)."""
