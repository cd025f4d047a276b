"""What the kernel has: its objects, how a topology compiles to them, and how two states differ (pure)."""
