"""Rows as tables: a fixed schema for each class, record batches, and flat rows.

Most programs need none of it by name: ``await walk.to_arrow()`` and its like use it.
"""

from .arrow import record_batch, schema
from .columns import SCHEMA_VERSION
from .flat import flat_rows

__all__ = ["SCHEMA_VERSION", "flat_rows", "record_batch", "schema"]
