"""Where the files of an export are: a folder, or any store that fsspec can reach.

    store = open_store("s3://bucket/rybbit", {"endpoint_url": "https://storage.example.com"})
    with store.lock(".export/lock"):
        store.write(".export/state.json", b"{}")

Everything here blocks, and is meant for worker threads; several can use a store at once. Paths are
relative to the store and have ``/`` between their parts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .base import Lock, Store
from .place import LocalPlace, find_place

__all__ = ["Lock", "Store", "open_store"]


def open_store(
    to: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
) -> Store:
    """The store at a folder or URL. Nothing is read or written yet.

    Args:
        to: a folder, which need not exist, or a URL such as ``s3://bucket/folder``.
        storage_options: what fsspec passes to the file system of the URL, such as ``key``,
            ``secret`` and ``endpoint_url`` for ``s3://``. Never shown.

    Raises:
        InvalidParameterError: ``to`` is no folder and no URL, or needs a package that is missing.
    """
    place = find_place(to, storage_options)
    if isinstance(place, LocalPlace):
        from .local import LocalStore

        return LocalStore(place.folder)
    from .remote import RemoteStore

    return RemoteStore(place)
