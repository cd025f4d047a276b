"""From a trace to a verdict: what is wrong, where, and how that is known (pure)."""
