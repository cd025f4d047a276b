"""What the kernel has: objects, compiled from a topology, compared and ordered (pure)."""
