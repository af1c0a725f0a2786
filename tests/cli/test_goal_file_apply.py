"""``goals dump``, ``plan`` and ``apply`` against servers, as commands."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rybbit_async.cli import main
from rybbit_async.cli.exits import Exit
from rybbit_async.cli.goal_file.file import parse
from rybbit_async.testing import RybbitServer, Site, faults
from rybbit_async.testing.credentials import EMAIL, PASSWORD

from .conftest import Result

Goals = dict[str, Any]


class Run(Protocol):
    """Runs a command of goals against a server of some release."""

    def __call__(self, *arguments: str | int, stdin: str = "", **options: Any) -> Result: ...


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], RybbitServer]]:
    """A server of each release that a test asks for."""
    running: dict[str, RybbitServer] = {}

    def server_of(release: str) -> RybbitServer:
        if release not in running:
            running[release] = RybbitServer(release).__enter__()
        server = running[release]
        server.clear_faults()
        server.requests.clear()
        return server

    yield server_of
    for server in running.values():
        server.__exit__(None, None, None)


@pytest.fixture
def newest(servers: Callable[[str], RybbitServer]) -> RybbitServer:
    return servers("2.8")


@pytest.fixture
def site(newest: RybbitServer) -> Site:
    return newest.store.add_site("shop.example")


def runner(cli: Callable[..., Result], server: RybbitServer, state: Path) -> Run:
    def run(*arguments: str | int, stdin: str = "", **options: Any) -> Result:
        env = {"XDG_STATE_HOME": str(state), **options.pop("env", {})}
        key = options.pop("key", server.api_key)
        return cli("goals", *arguments, stdin=stdin, url=server.url, key=key, env=env, **options)

    return run


@pytest.fixture
def run(cli: Callable[..., Result], newest: RybbitServer, tmp_path: Path) -> Run:
    return runner(cli, newest, tmp_path)


@pytest.fixture
def file(tmp_path: Path, site: Site) -> Callable[[str], str]:
    """Writes a goal file of the site, with goals in the form ``{name: a, path: /x}``."""

    def write(*goals: str) -> str:
        path = tmp_path / "goals.yaml"
        path.write_text(f"site: {site.site_id}\ngoals: [{', '.join(goals)}]\n", "utf-8")
        return str(path)

    return write


def now(server: RybbitServer, site: Site) -> list[tuple[str | None, str, Goals]]:
    """The goals that a site has."""
    return [(one.name, one.goal_type, dict(one.config)) for one in server.store.goals(site)]


def writes(server: RybbitServer) -> list[str]:
    return [f"{one.method} {one.path}" for one in server.requests if one.method != "GET"]


# --- the ordinary way --------------------------------------------------------------------------


def test_plan_apply_plan(
    run: Run, newest: RybbitServer, site: Site, file: Callable[..., str]
) -> None:
    store = newest.store
    changed = store.add_goal(site, "path", {"pathPattern": "/old"}, name="Signup")
    store.add_goal(site, "event", {"eventName": "buy"}, name="Renamed by hand")
    store.add_goal(site, "path", {"pathPattern": "/same"}, name="Same")
    other = store.add_goal(site, "path", {"pathPattern": "/other"}, name="Other")
    path = file(
        "{name: Signup, path: /new}",
        "{name: Bought, event: buy}",
        "{name: Same, path: /same}",
        '{name: New, event: x, property: {n: "1"}, properties: [{key: n, value: "1"}]}',
        "{name: Copied, copy: true}",
    )
    planned = run("plan", path, "--exit-code")
    assert planned.code == Exit.CHANGES
    assert f'~ "Signup" (id {changed}): path "/old" → "/new"\n' in planned.out
    assert 'name "Renamed by hand" → "Bought"' in planned.out
    assert '+ "New": event "x", property {"n": "1"}, properties {"n": "1"}\n' in planned.out
    assert "Plan: 2 to create, 2 to change, 1 as the file says." in planned.out
    left = f'1 goal of site {site.site_id}: "Other" (id {other})'
    assert f"Not in the file, --prune would delete it: {left}\n" in planned.out
    assert not writes(newest)

    applied = run("apply", path)
    assert applied.code == Exit.OK
    assert applied.err == "2 created, 2 changed\n"
    assert '~ changed "Signup"' in applied.out
    assert now(newest, site) == [
        ("Signup", "path", {"pathPattern": "/new"}),
        ("Bought", "event", {"eventName": "buy"}),
        ("Same", "path", {"pathPattern": "/same"}),
        ("Other", "path", {"pathPattern": "/other"}),
        (
            "New",
            "event",
            {
                "eventName": "x",
                "eventPropertyKey": "n",
                "eventPropertyValue": "1",
                "propertyFilters": [{"key": "n", "value": "1"}],
            },
        ),
        ("Copied", "copy", {}),
    ]
    newest.requests.clear()
    again = run("apply", path)
    assert (again.code, again.err) == (Exit.OK, "")
    assert again.out.startswith("No changes: 5 goals are as the file says.\n")
    assert not writes(newest)
    assert run("plan", path, "--exit-code").code == Exit.OK

    # A goal that is edited by hand shows as a change; with --prune, one more is deleted.
    store.update_goal(changed, goal_type="event", config={"eventName": "y"}, name="Signup")
    edited = run("plan", path, "--exit-code", "--prune")
    assert edited.code == Exit.CHANGES
    assert '~ "Signup"' in edited.out
    assert 'event "y" → none, path none → "/new"' in edited.out
    assert f'- "Other" (id {other}): path "/other"' in edited.out
    assert run("apply", path, "--prune", "--yes").code == Exit.OK
    assert run("plan", path, "--exit-code", "--prune").code == Exit.OK
    assert len(now(newest, site)) == 5


def test_the_plan_as_json(run: Run, newest: RybbitServer, site: Site, file: Any) -> None:
    old = newest.store.add_goal(site, "path", {"pathPattern": "/a"}, name="A\x9b31m\u202e")
    path = file('{name: B, path: /a, properties: {p: "1"}}', f"{{id: {old}, name: C, path: /a}}")
    data = json.loads(run("plan", path, "--json").out)
    assert data["changes"] == 2
    (planned,) = data["sites"]
    assert planned["create"] == [{"name": "B", "path": "/a", "properties": {"p": "1"}}]
    assert planned["change"] == [
        {
            "id": old,
            "name": "A\x9b31m\u202e",
            "fields": {"name": {"old": "A\x9b31m\u202e", "new": "C"}},
        }
    ]
    assert "\x9b" not in run("plan", path).out + run("plan", path, "--json").out
    dumped = run("dump", site.site_id).out
    assert 'name: "A\\x9B31m\\u202e"' in dumped


def test_a_site_by_its_identifier(run: Run, newest: RybbitServer, site: Site) -> None:
    text = f"site: {site.string_id}\ngoals: [{{name: a, path: /x}}]"
    assert run("apply", "-", stdin=text).code == Exit.OK
    assert now(newest, site) == [("a", "path", {"pathPattern": "/x"})]
    both = f"sites: {{{site.string_id}: {{goals: []}}, {site.site_id}: {{goals: []}}}}"
    refused = run("plan", "-", stdin=both)
    assert refused.code == Exit.USAGE
    assert f"site {site.site_id} must stand once in the file" in refused.err


def test_a_site_is_dumped_once(run: Run, newest: RybbitServer, site: Site) -> None:
    newest.store.add_goal(site, "path", {"pathPattern": "/x"}, name="a")
    number = site.site_id
    for sites in ([site.string_id, number], [number, site.string_id], [number, number]):
        dumped = run("dump", *sites).out
        assert dumped.count("name: a") == 1
        assert run("plan", "-", "--exit-code", stdin=dumped).code == Exit.OK
    assert run("dump", "9" * 5000).code == Exit.USAGE


def test_dump_of_every_site_is_what_is_there(
    cli: Callable[..., Result], server: RybbitServer, tmp_path: Path
) -> None:
    run = runner(cli, server, tmp_path)
    dumped = run("dump")
    assert dumped.code == Exit.OK
    planned = run("plan", "-", "--exit-code", "--prune", stdin=dumped.out)
    assert planned.code == Exit.OK
    assert planned.out.startswith("No changes: 12 goals are as the file says.")
    assert run("dump", "1").out == re.sub("  # .*\n", "", dumped.out)
    assert "id:" not in run("dump", "1", "--no-ids").out


def test_doubles_are_dumped_once_without_ids(run: Run, newest: RybbitServer, site: Site) -> None:
    one, two = [
        newest.store.add_goal(site, "path", {"pathPattern": "/a"}, name="A") for _ in range(2)
    ]
    dumped = run("dump", site.site_id, "--no-ids")
    assert dumped.out.count("name: A") == 1
    assert f"goal {two} of site {site.site_id} is left out, since it is the same" in dumped.err
    whole = run("dump", site.site_id)
    assert (whole.out.count("name: A"), whole.err) == (2, "")
    assert run("plan", "-", "--exit-code", stdin=whole.out).code == Exit.OK
    assert one < two


def test_the_file_of_the_help_is_one(cli: Callable[..., Result]) -> None:
    shown = cli("goals", "plan", "--help").out
    (sample,) = re.findall(r"^ (site: .*?)\n *\n", shown, re.MULTILINE | re.DOTALL)
    (found,) = parse(textwrap.dedent(f" {sample}"), "goals.yaml")
    assert [goal.content.kind for goal in found.goals] == ["path", "event", "outbound"]


@pytest.mark.parametrize("option", [["-f"], ["--file"], []])
def test_the_file_may_be_an_option(
    run: Run, site: Site, file: Callable[..., str], option: list[str]
) -> None:
    planned = run("plan", *option, file("{name: A, path: /a}"))
    assert (planned.code, planned.out.count('+ "A"')) == (Exit.OK, 1)


def test_two_goals_of_one_name_are_allowed(run: Run, file: Callable[..., str]) -> None:
    path = file("{name: A, path: /a}", "{name: A, path: /b}")
    said = f"warning: {path}, line 2: the name 'A' is also that of the goal in line 2\n"
    planned = run("plan", path)
    assert (planned.code, planned.err) == (Exit.OK, said)
    assert run("apply", path).err == f"{said}2 created\n"


# --- what is refused ---------------------------------------------------------------------------


def test_doubles_are_named_and_pruned(
    run: Run, newest: RybbitServer, site: Site, file: Any
) -> None:
    ids = [newest.store.add_goal(site, "path", {"pathPattern": "/a"}, name="A") for _ in range(3)]
    path = file("{name: A, path: /a}")
    planned = run("plan", path)
    assert planned.code == Exit.ERROR
    assert f"! goals {ids[0]} and {ids[1]} and {ids[2]} of site {site.site_id}" in planned.out
    assert f"goals delete {site.site_id} {ids[1]} and rybbit-async goals delete" in planned.out
    refused = run("apply", path)
    assert refused.code == Exit.ERROR
    assert "nothing was applied: goals" in refused.err
    assert not writes(newest)
    pruned = run("apply", path, "--prune", "--yes")
    assert pruned.code == Exit.OK
    assert f"(the same as goal {ids[0]})" in pruned.out
    assert [goal.goal_id for goal in newest.store.goals(site)] == ids[:1]


def test_what_is_ambiguous_is_refused(
    run: Run, newest: RybbitServer, site: Site, file: Any
) -> None:
    ids = [
        newest.store.add_goal(site, "path", {"pathPattern": one}, name="A") for one in ("/a", "/b")
    ]
    path = file("{name: A, path: /c}", "{name: New, path: /new}")
    refused = run("apply", path)
    assert refused.code == Exit.ERROR
    have = f"goals.yaml, line 2: the site has 2 goals named 'A' (id {ids[0]}, {ids[1]}): "
    assert f"{have}write the id of the one that is meant into the file" in refused.err
    assert not writes(newest)
    assert run("apply", file(f"{{id: {ids[1]}, name: A, path: /c}}")).code == Exit.OK
    assert now(newest, site)[1] == ("A", "path", {"pathPattern": "/c"})


def test_a_type_without_a_class(run: Run, newest: RybbitServer, site: Site, file: Any) -> None:
    old = newest.store.add_goal(site, "scroll", {"depth": 50}, name="Deep")
    dumped = run("dump", site.site_id).out
    assert "type: scroll" in dumped
    assert run("plan", "-", "--exit-code", stdin=dumped).code == Exit.OK
    refused = run("plan", "-", stdin=dumped.replace("scroll", "slide"))
    assert refused.code == Exit.ERROR
    assert "the type of a goal that is created, or that gets another type, must be" in refused.out
    changed = run("apply", "-", "--dry-run", stdin=dumped.replace("50", "75"))
    assert f"PUT /api/sites/{site.site_id}/goals/{old} " in changed.out
    assert '"goalType": "scroll", "config": {"depth": 75}' in changed.out


def test_goals_that_cannot_be_listed(
    cli: Callable[..., Result], servers: Callable[[str], RybbitServer], tmp_path: Path
) -> None:
    server = servers("2.2")
    site = server.store.add_site(events_native_numbers=True)
    server.store.add_goal(site, "path", {"pathPattern": "/a"}, name="A")
    config = {"eventName": "x", "eventPropertyKey": "n", "eventPropertyValue": 5}
    bad = server.store.add_goal(site, "event", config, name="B")
    run = runner(cli, server, tmp_path)
    text = f"site: {site.site_id}\ngoals: [{{name: C, path: /c}}]"
    planned = run("plan", "-", stdin=text)
    assert planned.code == Exit.ERROR
    assert "since the server cannot list all of its goals" in planned.out
    assert f"goal {bad} of site {site.site_id} cannot be read" in planned.out
    assert "+ " not in planned.out
    dumped = run("dump", site.site_id)
    assert (dumped.code, dumped.out) == (Exit.PARTIAL, "")


def test_servers_that_drop_properties(
    cli: Callable[..., Result], servers: Callable[[str], RybbitServer], tmp_path: Path
) -> None:
    for release, refuses in (("2.2", True), ("2.3", True), ("2.4", False)):
        server = servers(release)
        site = server.store.add_site()
        text = f"site: {site.site_id}\ngoals: [{{name: C, path: /c, properties: {{a: b}}}}]"
        planned = runner(cli, server, tmp_path)("plan", "-", stdin=text)
        assert ("drops properties and reports no error" in planned.out) == refuses
        assert planned.code == (Exit.ERROR if refuses else Exit.OK)


# --- applying ----------------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["2.2", "2.8"])
def test_older_servers_need_a_password(
    release: str,
    cli: Callable[..., Result],
    servers: Callable[[str], RybbitServer],
    tmp_path: Path,
) -> None:
    server = servers(release)
    site = server.store.add_site()
    run = runner(cli, server, tmp_path)
    server.store.add_goal(site, "path", {"pathPattern": "/b"}, name="A")
    text = f"site: {site.site_id}\ngoals: [{{name: A, path: /a}}, {{name: B, event: b}}]"
    with_key = run("apply", "-", stdin=text)
    if release == "2.2":
        assert with_key.code == Exit.AUTHENTICATION
        assert len(writes(server)) == 1  # the site refuses writes, so the second is not tried
        password = {"RYBBIT_PASSWORD": PASSWORD}
        assert server.api_key not in with_key.out + with_key.err
        with_password = run(*("apply", "-", "--email", EMAIL), stdin=text, key="", env=password)
        assert with_password.code == Exit.OK, with_password.err
    assert run("plan", "-", "--exit-code", stdin=text).code == Exit.OK


def test_a_dry_run_shows_the_requests(
    run: Run, newest: RybbitServer, site: Site, file: Any
) -> None:
    old = newest.store.add_goal(site, "path", {"pathPattern": "/old"}, name="Old")
    shown = run("apply", file("{name: New, path: /é}"), "--prune", "--dry-run")
    assert shown.code == Exit.OK
    goals = f"/api/sites/{site.site_id}/goals"
    assert shown.out.splitlines()[-2:] == [
        f'POST {goals} {{"goalType": "path", "config": {{"pathPattern": "/é"}}, "name": "New"}}',
        f"DELETE {goals}/{old}",
    ]
    assert shown.err == "nothing was sent\n"
    assert newest.api_key not in shown.out
    assert not writes(newest)


def test_who_is_asked(run: Run, newest: RybbitServer, site: Site, file: Any) -> None:
    newest.store.add_goal(site, "path", {"pathPattern": "/old"}, name="Old")
    path = file("{name: New, path: /new}")
    declined = run("apply", path, tty=True, stdin="n\n")
    assert declined.code == Exit.ERROR
    assert "Apply this to 1 goal? [y/N]" in declined.err
    assert run("apply", path, "--prune").code == Exit.USAGE  # nobody can be asked
    assert not writes(newest)
    assert run("apply", path, tty=True, stdin="y\n").code == Exit.OK
    assert len(now(newest, site)) == 2


def test_a_goal_that_fails_does_not_stop_the_others(
    run: Run, newest: RybbitServer, site: Site, file: Any
) -> None:
    path = file("{name: A, path: /a}", "{name: B, path: /b}", "{name: C, path: /c}")
    newest.inject(
        faults.Status(400), when=lambda one: one.method == "POST" and b'"B"' in one.body, times=None
    )
    applied = run("apply", path)
    assert applied.code == Exit.PARTIAL
    assert [name for name, *_ in now(newest, site)] == ["A", "C"]
    assert f'"B" of site {site.site_id} could not be created: 400' in applied.err
    assert "2 created; 1 of 3 left" in applied.err
    assert "run the same command again" in applied.err.splitlines()[-1]
    newest.clear_faults()
    assert run("apply", path).code == Exit.OK
    assert len(now(newest, site)) == 3


def test_a_lost_answer_makes_nothing_twice(
    run: Run, newest: RybbitServer, site: Site, file: Any
) -> None:
    newest.inject(faults.DropInBody(), when=lambda one: one.method == "POST", times=1)
    assert run("apply", file("{name: A, path: /a}", "{name: B, path: /b}")).code == Exit.OK
    assert len(now(newest, site)) == 2


def test_what_the_server_does_not_keep_is_told(
    run: Run, newest: RybbitServer, site: Site, file: Any
) -> None:
    applied = run("apply", file("{name: A, path: /a, extra: {later: 1}}"))
    assert applied.code == Exit.PARTIAL
    assert f'"A" (id {newest.store.goals(site)[0].goal_id}) of site' in applied.err
    assert "the server stored it in another way" in applied.err


def test_goals_that_somebody_else_makes_meanwhile_are_told(
    run: Run, newest: RybbitServer, site: Site, file: Any
) -> None:
    def create() -> None:
        newest.store.add_goal(site, "path", {"pathPattern": "/a"}, name="A")

    path = file("{name: A, path: /a}")
    newest.inject(faults.Before(create), when=lambda one: one.method == "POST")
    applied = run("apply", path)
    assert applied.code == Exit.PARTIAL
    assert (
        f"which goals of site {site.site_id} are those of the file" in applied.err.splitlines()[-1]
    )
    assert "have the same name and count the same" in run("plan", path).out


def test_a_refused_key_stops_at_once(run: Run, newest: RybbitServer, site: Site, file: Any) -> None:
    newest.inject(faults.Status(401), when=lambda one: one.method == "POST", times=None)
    applied = run("apply", file("{name: A, path: /a}", "{name: B, path: /b}"))
    assert applied.code == Exit.AUTHENTICATION
    assert len(writes(newest)) == 1


def test_goals_that_cannot_be_compared_afterwards(
    run: Run, newest: RybbitServer, site: Site, file: Any
) -> None:
    newest.inject(faults.Status(404), when=lambda one: bool(writes(newest)), skip=1, times=None)
    applied = run("apply", file("{name: A, path: /a}"))
    assert applied.code == Exit.OK
    assert "warning: what the server has stored could not be compared: 404" in applied.err


def test_ctrl_c_says_what_was_done(run: Run, newest: RybbitServer, site: Site, file: Any) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    second = faults.Before(interrupt)
    newest.inject(second, when=lambda one: one.method == "POST" and b'"B"' in one.body)
    stopped = run("apply", file("{name: A, path: /a}", "{name: B, path: /b}"))
    assert stopped.code == Exit.INTERRUPTED
    assert "1 created; 1 of 2 left" in stopped.err
    assert "run the same command again to go on" in stopped.err.splitlines()[-1]


def test_a_second_apply_waits(
    run: Run, newest: RybbitServer, site: Site, file: Any, tmp_path: Path
) -> None:
    path = file("{name: A, path: /a}")
    assert run("apply", path).code == Exit.OK
    (lock,) = (tmp_path / "rybbit-async" / "locks").iterdir()
    held = FileLock(lock, thread_local=False)  # it is released in another thread
    held.acquire()
    newest.requests.clear()
    release = threading.Timer(0.05, held.release)
    release.start()
    waited = run("apply", path)
    release.join()
    assert waited.code == Exit.OK
    assert f"another apply to site {site.site_id} is running here; waiting" in waited.err


# --- any goals ---------------------------------------------------------------------------------

texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6
)
values = texts | st.booleans() | st.integers(-(2**53), 2**53) | st.sampled_from([0.5, "1", "true"])
properties = st.dictionaries(texts, values, min_size=1, max_size=2)


@st.composite
def written_goals(draw: st.DrawFn) -> Goals:
    """A goal as a file may have it."""
    goal: Goals = {"name": draw(st.none() | texts)}
    kind = draw(st.sampled_from(["path", "event", "outbound", "copy"]))
    goal[kind] = True if kind in ("outbound", "copy") and draw(st.booleans()) else f"/{draw(texts)}"
    if draw(st.booleans()):
        goal["properties"] = draw(properties)
    return goal


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.lists(written_goals(), max_size=3, unique_by=repr),
    then=st.lists(written_goals(), max_size=3, unique_by=repr),
)
def test_any_goals(run: Run, newest: RybbitServer, first: list[Goals], then: list[Goals]) -> None:
    site = newest.store.add_site()
    for goals in (first, then):
        text = json.dumps({"site": site.site_id, "goals": goals})
        applied = run("apply", "-", "--prune", "--yes", stdin=text)
        if applied.code == Exit.ERROR:  # two of the goals have one name
            assert "it must be told which goal of the site this is" in applied.err + applied.out
            return
        assert applied.code == Exit.OK, applied.err
        assert run("plan", "-", "--prune", "--exit-code", stdin=text).code == Exit.OK
        dumped = run("dump", site.site_id).out
        assert run("plan", "-", "--prune", "--exit-code", stdin=dumped).code == Exit.OK


# --- the documentation -------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "goals-as-code.md").read_text("utf-8")


def test_the_samples_of_the_documentation(run: Run, newest: RybbitServer, site: Site) -> None:
    one, two = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (toml,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert run("apply", "-", stdin=one.replace("123", str(site.site_id))).code == Exit.OK
    assert [(kind, len(config)) for _, kind, config in now(newest, site)] == [
        ("path", 1),
        ("event", 3),
        ("path", 2),
        ("outbound", 1),
        ("button_click", 0),
    ]
    assert len(parse(two, "goals.yaml")) == 2
    assert len(parse(toml, "goals.toml")) == 1


@pytest.mark.parametrize("broken", [False, True])
def test_a_reader_that_ends_stops_no_writes(
    newest: RybbitServer,
    site: Site,
    file: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    broken: bool,
) -> None:
    path = file(*(f"{{name: g{number}, path: /{number}}}" for number in range(8)))
    if broken:
        newest.inject(faults.Status(400), when=lambda one: one.method == "POST", skip=3)
    into, out = os.pipe()
    os.close(into)
    env = {
        "RYBBIT_BASE_URL": newest.url,
        "RYBBIT_API_KEY": newest.api_key,
        "XDG_STATE_HOME": str(tmp_path),
        "RYBBIT_CONFIG": str(tmp_path / "config.toml"),
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    err = io.StringIO()
    with open(out, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", err)
        code = main(["goals", "apply", path, "--yes"])
    assert code == (Exit.PARTIAL if broken else Exit.OK)
    assert len(now(newest, site)) == 8 - broken
    assert ("7 created; 1 of 8 left\n" if broken else "8 created\n") in err.getvalue()
