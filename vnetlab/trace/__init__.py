"""From sightings of packets to paths through the lab (pure)."""
