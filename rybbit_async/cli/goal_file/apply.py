"""Carrying out a plan, goal by goal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from attrs import define, field, frozen

from ... import (
    APIConnectionError,
    AuthenticationError,
    GoalConfig,
    PermissionDeniedError,
    RateLimitError,
    RybbitClient,
    RybbitError,
)
from ...models import GOAL_CONFIGS
from ..dry_run import dry_run_all
from ..exits import CommandError, Exit
from ..output.values import counted
from ..run import Job
from .content import Content, writable
from .entry import FileGoal
from .file import FileSite
from .lock import one_at_a_time
from .matching import StoredGoal
from .plan import Change, Plan, SitePlan, make_plan, numbers_of
from .show import named, show_line, show_plan, warn_of_doubts

__all__ = ["apply"]

_Send = Callable[[], Awaitable[object]]

# No other goal of the same server would fare better.
_OF_ALL: Final = (APIConnectionError, AuthenticationError, RateLimitError)
_NAMED: Final = 3


async def apply(
    job: Job, sites: Sequence[FileSite], *, prune: bool, yes: bool, only_show: bool
) -> int:
    """Make the goals of sites as a file says.

    Args:
        prune: whether goals are deleted that the file does not have.
        yes: whether nobody is asked.
        only_show: show the requests and send none of those that write.

    Raises:
        CommandError: the plan is refused, nobody agreed to it, or a part of it failed.
    """
    warn_of_doubts(job.terminal, sites)
    numbers = await numbers_of(job.client, sites)
    if only_show:
        plan = await make_plan(job.client, numbers, prune=prune)
        show_plan(job.terminal, plan)
        _check(plan)
        await dry_run_all(job, (write.send for write in _writes(job.client, plan)))
        return Exit.OK
    server = str(job.client.arguments()["base_url"])
    async with one_at_a_time(job.terminal, server, numbers):
        plan = await make_plan(job.client, numbers, prune=prune)
        with _read_or_not() as unread:
            show_plan(job.terminal, plan)
        _check(plan)
        if not plan.size:
            return Exit.OK
        _agree(job, plan, yes=yes, unread=unread)
        done = _Done(job, plan.size)
        await done.carry_out(list(_writes(job.client, plan)))
        await done.check(numbers, prune=prune)
        done.finish()
    return Exit.OK


@contextmanager
def _read_or_not() -> Generator[list[bool]]:
    """Let the work go on if nobody reads stdout any more; what is given has an item then.

    Writes that stop halfway because of that, as in ``apply ... | head -1``, would surprise.
    """
    unread: list[bool] = []
    try:
        yield unread
    except (BrokenPipeError, SystemExit):  # rich makes the one of the other
        unread.append(True)


def _check(plan: Plan) -> None:
    if plan.refusals:
        number = len(plan.refusals)
        why = plan.refusals[0] if number == 1 else f"the plan has {number} lines that begin with !"
        raise CommandError(f"nothing was applied: {why}")


def _agree(job: Job, plan: Plan, *, yes: bool, unread: Sequence[bool]) -> None:
    """Ask on a terminal; elsewhere, a plan that deletes goals needs ``--yes``."""
    if yes:
        return
    if job.terminal.in_is_terminal:
        if unread:
            must = "must be given where the plan cannot be read before it is agreed to"
            raise CommandError(f"nothing was applied: --yes {must}", Exit.USAGE)
        if job.terminal.confirm(f"Apply this to {counted(plan.size, 'goals')}?"):
            return
        raise CommandError("nothing was applied")
    if plan.deletes:
        must = "must be given where nobody can be asked, since the plan deletes"
        raise CommandError(f"--yes {must} {counted(plan.deletes, 'goals')}", Exit.USAGE)


# --- writes --------------------------------------------------------------------------------------


@frozen
class _Write:
    """One goal to write: how, and what is said of it."""

    site: int
    sign: str
    goal: FileGoal | StoredGoal | Change
    send: _Send


def _writes(client: RybbitClient, plan: Plan) -> Iterator[_Write]:
    for site in plan.sites:
        # Changes come first: a goal that is to be created may equal one that is to be changed, and
        # would be found in place of being created. What fails early has deleted nothing.
        for change in site.changes:
            yield _Write(site.site, "~", change, _update(client, site, change))
        for goal in site.creates:
            yield _Write(site.site, "+", goal, _create(client, site, goal))
        for old in site.deletes:
            yield _Write(site.site, "-", old, _delete(client, site, old))


def _update(client: RybbitClient, site: SitePlan, change: Change) -> _Send:
    goal, old = change.goal, change.old
    changes: dict[str, Any] = {}
    if goal.name != old.name:
        changes["name"] = goal.name
    if goal.content.key != old.content.key:
        changes["config"] = _config(goal.content)
    return lambda: client.goals.update(site.site, old.goal_id, **changes)


def _config(content: Content) -> GoalConfig | Mapping[str, Any]:
    return writable(content) if content.kind in GOAL_CONFIGS else content.config


def _create(client: RybbitClient, site: SitePlan, goal: FileGoal) -> _Send:
    config = writable(goal.content)
    if goal.name is None:
        # ``ensure`` would be content with a goal of any name.
        return lambda: client.goals.create(site.site, config)
    return lambda: client.goals.ensure(site.site, config, name=goal.name)


def _delete(client: RybbitClient, site: SitePlan, old: StoredGoal) -> _Send:
    return lambda: client.goals.delete(site.site, old.goal_id)


# --- carrying it out -----------------------------------------------------------------------------


_DONE: Final = {"+": "created", "~": "changed", "-": "deleted"}
_FAILED: Final = {
    "+": "could not be created",
    "~": "could not be changed",
    "-": "could not be deleted",
}


@define
class _Done:
    """What was done of a plan, and what was not."""

    job: Job
    size: int
    done: list[_Write] = field(factory=list[_Write])
    failed: list[str] = field(factory=list[str])
    first_error: RybbitError | None = None

    async def carry_out(self, writes: Sequence[_Write]) -> None:
        """Write goal after goal. One that fails does not stop the others, if they may succeed."""
        refused = set[int]()
        try:
            for write in writes:
                if write.site in refused:
                    self._fail(write, "not tried, since the site refuses writes")
                    continue
                try:
                    await write.send()
                except RybbitError as error:
                    self.first_error = self.first_error or error
                    self._fail(write, str(error))
                    if isinstance(error, _OF_ALL):
                        return
                    if isinstance(error, PermissionDeniedError):
                        refused.add(write.site)
                else:
                    self.done.append(write)
                    text = f"{_DONE[write.sign]} {named(write.goal)}"
                    with _read_or_not():
                        show_line(self.job.terminal, write.sign, text)
        except asyncio.CancelledError:
            self.job.terminal.message(self.summary())
            raise

    def _fail(self, write: _Write, why: str) -> None:
        what = f"{named(write.goal)} of site {write.site} {_FAILED[write.sign]}"
        self.failed.append(what)
        self.job.terminal.message(f"{what}: {why}")

    async def check(self, numbers: Mapping[int, FileSite], *, prune: bool) -> None:
        """Compare once more: some servers store less than they are sent, and do not say so."""
        written = {write.site for write in self.done}
        if not written or self.failed:
            return
        sites = {number: site for number, site in numbers.items() if number in written}
        try:
            plan = await make_plan(self.job.client, sites, prune=prune)
        except RybbitError as error:
            self.job.terminal.warn(f"what the server has stored could not be compared: {error}")
            return
        for site in plan.sites:
            if site.refusals:
                why = "since somebody else has written some at the same time"
                which = f"which goals of site {site.site} are those of the file"
                self.failed.append(f"it is not clear any more {which}, {why}")
        for write in () if plan.refusals else _writes(self.job.client, plan):
            what = f"{named(write.goal)} of site {write.site} is not as the file says"
            self.failed.append(what)
            why = "the server stored it in another way, or somebody else changed it"
            self.job.terminal.message(f"{what}: {why}")

    def finish(self) -> None:
        """Say what was done.

        Raises:
            RybbitError: nothing was done; the first error.
            CommandError: something was not done.
        """
        if self.first_error is not None and not self.done:
            raise self.first_error
        self.job.terminal.message(self.summary())
        if self.failed:
            names = "; ".join(self.failed[:_NAMED])
            more = len(self.failed) - _NAMED
            also = f"; and {more} more" if more > 0 else ""
            again = "run the same command again to try what is left"
            then = again if self.first_error else "rybbit-async goals plan shows what is left"
            raise CommandError(f"{names}{also}: {then}", Exit.PARTIAL)

    def summary(self) -> str:
        """What was done, in one line."""
        counts = {word: sum(one.sign == sign for one in self.done) for sign, word in _DONE.items()}
        said = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
        left = self.size - len(self.done)
        return f"{said or 'nothing was done'}{f'; {left} of {self.size} left' if left else ''}"
