"""Writing the goals of sites as a goal file."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from ... import RybbitClient
from ...extras import import_extra
from ..exits import CommandError, Exit
from ..output.text import visible
from ..run import Job
from .content import to_file
from .matching import StoredGoal
from .plan import Stored, read_goals

__all__ = ["dump", "to_yaml"]

_HEAD: Final = """\
# Goals of Rybbit. "rybbit-async goals plan FILE" shows what this file would change on the server,
# and "rybbit-async goals apply FILE" does it.
"""
# Text that every reader of YAML takes for text.
_PLAIN: Final = re.compile(r"[A-Za-z/][\w/.,*()&+=!?'-]*(?: [\w/.,*()&+=!?'-]+)*")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


async def dump(job: Job, sites: Sequence[int | str], *, ids: bool) -> None:
    """Write the goals of sites to stdout as YAML.

    Args:
        sites: none stand for every site that the key can read.
        ids: whether the goals have their ids.

    Raises:
        CommandError: a site has goals that the server cannot list.
    """
    client = job.client
    domains: dict[int | str, str | None] = {}
    if not sites:
        organizations = await client.organizations.list()
        domains = {site.site_id: site.domain for one in organizations for site in one.sites}
        sites = sorted(domains, key=int)
        if not sites:
            raise CommandError("the server lists no site that the key can read: name each site")
    stored = await read_goals(client, await _once(client, sites))
    for site, one in stored.items():
        if one.unreadable:
            why = one.unreadable[0].error
            raise CommandError(f"site {site} cannot be written: {why}", Exit.PARTIAL)
        if not ids:
            _drop_doubles(job, site, one)
    goals = {site: one.goals for site, one in stored.items()}
    job.terminal.write_data(to_yaml(goals, domains, ids=ids))


async def _once(client: RybbitClient, sites: Sequence[int | str]) -> list[int | str]:
    """The sites without those that are named once more, by the identifier or by the number."""
    if len(sites) < 2:
        return [*sites]
    found: dict[int, int | str] = {}
    for site in sites:
        number = site if isinstance(site, int) else (await client.sites.get(site)).site_id
        found.setdefault(number, site)
    return [*found.values()]


def _drop_doubles(job: Job, site: int | str, stored: Stored) -> None:
    """Without ids, goals of one name that count the same cannot be told apart."""
    first: dict[tuple[str | None, str], StoredGoal] = {}
    for goal in stored.goals:
        one = first.setdefault((goal.name, goal.content.key), goal)
        if one is not goal:
            job.terminal.warn(
                f"goal {goal.goal_id} of site {site} is left out, since it is the same as goal "
                f"{one.goal_id}"
            )
    stored.goals = list(first.values())


def to_yaml(
    sites: Mapping[int | str, Sequence[StoredGoal]],
    domains: Mapping[int | str, str | None],
    *,
    ids: bool,
) -> str:
    """A goal file: the sites in their order, and the goals of each in theirs.

    Args:
        domains: what stands in a comment before a site.
    """
    ruamel = import_extra("ruamel.yaml", "goals as code", "'rybbit_async[cli]'")
    yaml = ruamel.YAML()
    yaml.width = 2**20
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.ignore_aliases = _has_no_alias
    yaml.representer.add_representer(type(None), _represent_null)
    by_site = ruamel.comments.CommentedMap()
    for site, goals in sites.items():
        key = site if isinstance(site, int) else _styled(site)
        by_site[key] = {"goals": [_styled(_goal(one, ids=ids)) for one in goals]}
        if domain := domains.get(site):
            by_site.yaml_set_comment_before_after_key(key, before=visible(domain), indent=2)
    text = io.StringIO()
    yaml.dump({"sites": by_site}, text)
    # What cannot be seen stands in quotes, where YAML has the same escapes.
    return _HEAD + "\n".join(map(visible, text.getvalue().split("\n")))


def _represent_null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _has_no_alias(_: object) -> bool:
    return True


def _goal(goal: StoredGoal, *, ids: bool) -> dict[str, Any]:
    given = {"id": goal.goal_id} if ids else {}
    return {**given, "name": goal.name, **to_file(goal.content)}


def _styled(value: Any) -> Any:
    """The value, with text in quotes where a reader of YAML may take it for something else."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {_styled(key): _styled(one) for key, one in items}
    if isinstance(value, list):
        many: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # JSON
        return [_styled(one) for one in many]
    if not isinstance(value, str):
        return value
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and visible(value) == value:
        return value
    scalars = import_extra("ruamel.yaml.scalarstring", "goals as code", "'rybbit_async[cli]'")
    return scalars.DoubleQuotedScalarString(value)
