"""One line of what ``doctor`` finds out."""

from __future__ import annotations

from typing import Any, Literal

from attrs import frozen

from ..exits import Exit
from ..failures import explain

__all__ = ["Check", "failed", "skipped"]

State = Literal["ok", "warning", "failed", "skipped"]


@frozen
class Check:
    """Something that was found out.

    Attributes:
        name: what it is about, in a word or two.
        text: what was found, without secrets.
        state: ``"warning"`` for what may be wrong, ``"skipped"`` for what could not be asked.
        cure: what to do about it.
        exit: the exit code, if it has failed.
    """

    name: str
    text: str
    state: State = "ok"
    cure: str | None = None
    exit: Exit = Exit.OK

    def plain(self) -> dict[str, Any]:
        """This as JSON."""
        return {"name": self.name, "state": self.state, "text": self.text, "cure": self.cure}


def failed(name: str, error: Exception, cure: str | None = None) -> Check:
    """The line of a check that has failed.

    Args:
        name: see ``Check``.
        error: why.
        cure: what to do about it, if the error does not say it.
    """
    text, code = explain(error)
    return Check(name, text, "failed", cure, code)


def skipped(name: str, why: str) -> Check:
    """The line of something that could not be asked."""
    return Check(name, why, "skipped")
