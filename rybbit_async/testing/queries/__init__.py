"""The queries behind each list, one module for each family."""
