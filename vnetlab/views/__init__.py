"""Values as text and JSON (pure)."""
