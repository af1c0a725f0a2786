"""Showing the request of a write in place of sending it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Final

from ..wire.messages import Request
from .output.text import visible_json
from .run import Job

__all__ = ["dry_run", "dry_run_all"]

_NOTHING_SENT: Final = "nothing was sent"


class _NotSentError(Exception):
    """A write was shown and not sent."""


@contextmanager
def dry_run(job: Job, *, enabled: bool = True) -> Generator[None]:
    """Show the first write inside of the block, in a line, in place of sending it.

    What it needs to read is read, so that the request is the one that would be sent. The rest of
    the block is skipped, since there is no answer. ::

        with dry_run(job, enabled=options.dry_run):
            result = await job.client.goals.create(site, config)
            job.terminal.message(f"created goal {result.goal_id}")

    Args:
        enabled: ``False`` for a block that is run as usual.
    """
    if not enabled:
        yield
        return
    with _shown(job):
        yield
    job.terminal.message(_NOTHING_SENT)


async def dry_run_all(job: Job, writes: Iterable[Callable[[], Awaitable[object]]]) -> None:
    """Show the requests of several writes, a line for each."""
    for write in writes:
        with _shown(job):
            await write()
    job.terminal.message(_NOTHING_SENT)


@contextmanager
def _shown(job: Job) -> Generator[None]:
    transport = job.client._transport  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # for this alone

    def show(request: Request) -> None:
        body = f" {request.body.decode()}" if request.body else ""
        text = transport.redact(f"{request.method} {request.target}{body}")
        job.terminal.write_data(f"{visible_json(text)}\n")
        raise _NotSentError

    transport.on_write = show
    try:
        yield
    except _NotSentError:
        pass
    finally:
        transport.on_write = None
