"""Everything that can go wrong: each kind reversible, with the verdict that it must produce."""
