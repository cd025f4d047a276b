"""What a probe was expected to pass, and what was seen of it (pure)."""
