"""From paths to a verdict (pure)."""
