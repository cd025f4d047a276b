"""EFFECT: where a lab lives, and how a command gets there."""
