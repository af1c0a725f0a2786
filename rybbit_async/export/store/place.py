"""What a caller means by ``to``: a folder of this computer, or a place that fsspec can reach."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from attrs import field, frozen

from ...errors import InvalidParameterError
from ...parameters.checks import did_you_mean, invalid, wrong_type
from .extra import import_fsspec
from .redact import redacted, shown_url, user_of

__all__ = ["LocalPlace", "RemotePlace", "find_place"]

_URL: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]+)://")


@frozen
class LocalPlace:
    """A folder, which need not exist."""

    folder: Path


@frozen
class RemotePlace:
    """A folder in a file system of fsspec.

    Attributes:
        system: the file system.
        folder: the path in it.
        shown: the URL without what is secret.
        clean: turns a message of another package into one that can be shown.
    """

    system: Any = field(repr=False)
    folder: str
    shown: str
    clean: Callable[[str], str] = field(repr=False)


def find_place(
    to: str | os.PathLike[str], options: Mapping[str, Any] | None
) -> LocalPlace | RemotePlace:
    """Where ``to`` is."""
    if not isinstance(to, (str, os.PathLike)):
        raise wrong_type("to", to, "str or a path (a folder or a URL)")
    text = os.fspath(to)
    if not isinstance(text, str):
        raise wrong_type("to", text, "str or a path of str")
    if not text.strip() or "\0" in text:
        raise invalid("to", text, "be a folder or a URL such as 's3://bucket/folder'")
    if "::" in text.partition("://")[0] and "://" in text:
        # They put something between the export and its store, such as a cache or an archive.
        raise InvalidParameterError(
            f"to must be a single URL, without '::', got {shown_url(text)!r}"
        )
    url = _URL.match(text) if isinstance(to, str) else None
    scheme = url[1].lower() if url else ""
    if url and scheme not in ("file", "local"):
        return _remote(text, scheme, dict(options or {}))
    if options:
        raise InvalidParameterError(
            "storage_options must be None if to is a folder: only file systems that fsspec "
            "connects to have options"
        )
    return LocalPlace(_folder(_path_of(text) if url else text))


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise invalid("to", shown_url(url), "have three slashes: 'file:///folder'")
    return url2pathname(parts.path)


def _folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    for folder in (path, *path.parents):
        # Not the methods of Path, which raise for a folder that cannot be looked into. That error
        # comes with what to do when the first file is read or written.
        if os.path.isdir(folder):
            break
        if os.path.exists(folder):
            what = "a file" if folder == path else f"in {folder}, which is a file"
            raise InvalidParameterError(f"to must be a folder or a URL, got {path}: it is {what}")
    return path


def _remote(url: str, scheme: str, options: dict[str, Any]) -> RemotePlace:
    shown = shown_url(url)
    fsspec = import_fsspec()
    # Not from the cache of instances: it would be shared with whatever else the program does with
    # these options, and keep the options for as long as the program runs.
    options = {"skip_instance_cache": True, **options}
    try:
        system, folder = fsspec.url_to_fs(url, **options)
    except ImportError:
        raise _needs_package(scheme, shown) from None
    except Exception as error:
        if not isinstance(error, ValueError) or scheme in _known():
            raise InvalidParameterError(
                f"to and storage_options must be what fsspec accepts for {scheme}://, got "
                f"{shown!r}: {type(error).__name__}: {redacted(str(error), url, options)}"
            ) from None
        raise invalid(
            "to", shown, "be a folder or a URL that fsspec knows", did_you_mean(scheme, _known())
        ) from None
    if user_of(url) and user_of(url) in folder:
        raise InvalidParameterError(
            f"to must have no user and password for {scheme}://, where they would be part of a "
            f"name, got {shown!r} with them: pass them as storage_options"
        )
    if not folder.strip("/") and scheme != "memory":
        raise invalid("to", shown, "name a bucket or a folder")
    return RemotePlace(
        system, folder.rstrip("/"), shown, partial(redacted, url=url, options=options)
    )


def _known() -> frozenset[str]:
    fsspec = import_fsspec()
    return frozenset(fsspec.available_protocols())


def _needs_package(scheme: str, shown: str) -> InvalidParameterError:
    registry = import_module("fsspec.registry")
    # "Install s3fs to access S3"
    advice = registry.known_implementations.get(scheme, {}).get("err", "install it")
    return InvalidParameterError(f"to: {shown!r} needs a package that is missing. {advice}")
