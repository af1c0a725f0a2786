"""The file that keeps the position of ``rybbit-async watch``."""

from __future__ import annotations

from pathlib import Path

from .. import WatchedSession
from ..walks.watch import Watch
from .exits import CommandError, Exit
from .output.files import check_file, whole_file
from .terminal import Terminal

__all__ = ["WatchState"]


class WatchState:
    """A file that keeps the position of a watch, as it is after the rows of each poll.

    Attributes:
        news: the watch.
    """

    def __init__(self, path: Path, terminal: Terminal) -> None:
        check_file("--state", path)
        self._path = path
        self._terminal = terminal
        self._left = 0  # rows of the latest poll that are not written yet
        # After the last row that was written: the watch may have given one more meanwhile.
        self._position: str | None = None
        self._kept: str | None = None  # what the file has
        self.news: Watch[WatchedSession] | None = None

    def read(self) -> str | None:
        """The position; ``None`` if there is no file yet."""
        try:
            return self._path.read_text("utf-8").strip() or None
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise CommandError(
                f"--state {self._path} must be a file that watch wrote, got something else: "
                "name another file",
                Exit.USAGE,
            ) from None

    def polled(self, rows: int) -> None:
        """Take note of a poll: the file has its position from the first one on.

        After one without rows the position is another one, too.
        """
        self._left = rows
        if rows == 0 or self._position is None:
            self._take()
            try:
                self.write()
            except OSError as error:  # nobody can raise it here; it comes again with the next row
                self._terminal.warn(f"--state {self._path} cannot be written: {error.strerror}")

    def given(self) -> None:
        """Take note that a row was written, to its end."""
        self._left -= 1
        self._take()
        if self._left <= 0:
            self.write()

    def write(self) -> None:
        """Keep the position after the last row that was written, if there is one yet."""
        if self._position not in (None, self._kept):
            with whole_file(self._path) as part:
                part.write_text(f"{self._position}\n", "utf-8")
            self._kept = self._position

    def _take(self) -> None:
        self._position = None if self.news is None else self.news.position
