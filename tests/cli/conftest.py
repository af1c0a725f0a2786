"""Runs the command line in this process, against a server that all tests of a worker share."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from rybbit_async.cli import main
from rybbit_async.testing import RybbitServer, generate

# It logs every rule that it tries on every line, and all logs of a test are kept.
logging.getLogger("markdown_it").setLevel(logging.WARNING)


@frozen
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


class _Stream(io.TextIOWrapper):
    def __init__(self, *, tty: bool) -> None:
        super().__init__(io.BytesIO(), "utf-8", newline="\n", write_through=True)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    @property
    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]  # it is a BytesIO


@pytest.fixture(scope="session")
def server() -> Iterator[RybbitServer]:
    """A server in a thread of its own, with one site and twelve goals; do not change its data."""
    with RybbitServer() as running:
        generate(running.store, seed=1, sessions=300, days=30)
        yield running


@pytest.fixture
def cli(
    server: RybbitServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Result]:
    """Runs a command; ``url`` and ``key`` are those of the shared server unless given."""

    def run(
        *arguments: str | int,
        stdin: str = "",
        tty: bool = False,
        width: int = 80,
        env: dict[str, str] | None = None,
        url: str | None = None,
        key: str | None = None,
    ) -> Result:
        given: dict[str, Any] = {
            "RYBBIT_BASE_URL": server.url if url is None else url,
            "RYBBIT_API_KEY": server.api_key if key is None else key,
            "RYBBIT_CONFIG": str(tmp_path / "config.toml"),
            "COLUMNS": str(width),
            "TERM": "xterm-256color",
            **(env or {}),
        }
        with monkeypatch.context() as patch:
            for name in ("NO_COLOR", "FORCE_COLOR", "RYBBIT_PROFILE", "RYBBIT_EMAIL"):
                patch.delenv(name, raising=False)
            for name, value in given.items():
                patch.setenv(name, value)
            out, err, into = _Stream(tty=tty), _Stream(tty=tty), _Stream(tty=tty)
            into.write(stdin)
            into.seek(0)
            patch.setattr(sys, "stdin", into)
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = main([str(one) for one in arguments])
            return Result(code, out.text, err.text)

    return run
