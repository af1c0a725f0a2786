"""How fast this package is, beside the least that the same work takes: `nox -s bench`."""
