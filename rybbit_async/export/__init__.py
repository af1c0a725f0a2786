"""Exporting every list of every site into files; install ``rybbit_async[export]``.

``export`` does it in one call, ``Export`` as an object that tells what happens.
"""

from .errors import ExportError, ExportLockedError, ExportMismatchError, ExportStoreError
from .exporting import Export, export
from .manifest import Manifest, Part, UnitRecord
from .plan import Plan
from .progress import (
    ExportEnded,
    ExportEvent,
    ExportPaused,
    ExportPlanned,
    PartWritten,
    RowsWritten,
    UnitBegun,
    UnitEnded,
)
from .reading import open_duckdb
from .report import ExportReport, Failure
from .units import Unit

__all__ = [
    "Export",
    "ExportEnded",
    "ExportError",
    "ExportEvent",
    "ExportLockedError",
    "ExportMismatchError",
    "ExportPaused",
    "ExportPlanned",
    "ExportReport",
    "ExportStoreError",
    "Failure",
    "Manifest",
    "Part",
    "PartWritten",
    "Plan",
    "RowsWritten",
    "Unit",
    "UnitBegun",
    "UnitEnded",
    "UnitRecord",
    "export",
    "open_duckdb",
]
