"""What the user means: the topology language, loaded, every default filled in (pure)."""
