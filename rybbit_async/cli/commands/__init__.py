"""The commands: what they take, and their help. What does the work is imported when they run."""
