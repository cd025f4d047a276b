"""Real packets: how a probe is sent, seen and answered (effect)."""
