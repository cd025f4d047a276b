"""What each code of a verdict means, and what to do about it."""
