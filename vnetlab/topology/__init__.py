"""What the user means: the topology language, loaded and with every default filled in (pure but for reading the file)."""
