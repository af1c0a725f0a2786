"""What makes the result of a walk complete: one strategy per kind of list. No I/O."""
