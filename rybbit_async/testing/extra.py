"""What is said when the extra `testing` is not installed."""

from __future__ import annotations

__all__ = ["missing_extra"]


def missing_extra(error: ModuleNotFoundError) -> ModuleNotFoundError:
    """The error to raise in place of `error`: it says which extra to install for DuckDB."""
    if (error.name or "").partition(".")[0] != "duckdb":
        return error
    return ModuleNotFoundError(
        "the embedded server needs DuckDB: pip install 'rybbit_async[testing]'", name=error.name
    )
