"""``goals create``, ``update`` and ``delete``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rybbit_async.cli.exits import Exit
from rybbit_async.testing import RybbitServer

from .conftest import Result

Cli = Callable[..., Result]


@pytest.fixture
def own(cli: Cli) -> Iterator[Any]:
    """Runs a command against a server of its own, with a site without goals."""
    with RybbitServer() as server:
        site = server.store.add_site("example.com")

        def run(*arguments: Any, **options: Any) -> Result:
            return cli(*arguments, url=server.url, key=server.api_key, **options)

        run.server, run.site = server, site.site_id  # type: ignore[attr-defined]  # for the tests
        yield run


def goals(own: Any) -> list[tuple[str | None, str, dict[str, Any]]]:
    result = own("goals", "list", own.site, "--sort", "id")
    found = [json.loads(line) for line in result.out.splitlines()]
    return [
        (goal["name"], goal["goal_type"], {k: v for k, v in goal["config"].items() if v})
        for goal in found
    ]


def writes(server: RybbitServer) -> list[str]:
    return [request.method for request in server.requests if request.method != "GET"]


@pytest.mark.parametrize(
    ("flags", "kind", "config"),
    [
        (["--path", "/a/**"], "path", {"path_pattern": "/a/**"}),
        (["--event", "buy"], "event", {"event_name": "buy"}),
        (
            ["--event", "buy", "--property", "plan=pro=x"],
            "event",
            {"event_name": "buy", "property_key": "plan", "property_value": "pro=x"},
        ),
        (
            ["--event", "buy", "--property", "n:=5", "--property", "new:=true"],
            "event",
            {
                "event_name": "buy",
                "property_filters": [
                    {"key": "n", "value": 5, "extra": {}},
                    {"key": "new", "value": True, "extra": {}},
                ],
            },
        ),
        (["--outbound", "*"], "outbound", {}),
        (["--button-click", "Buy"], "button_click", {"value_pattern": "Buy"}),
        (["--form-submit", "contact"], "form_submit", {"value_pattern": "contact"}),
        (["--copy", "a*"], "copy", {"value_pattern": "a*"}),
    ],
)
def test_create(own: Any, flags: list[str], kind: str, config: dict[str, Any]) -> None:
    created = own("goals", "create", own.site, "--name", "X", *flags)
    assert created.code == Exit.OK, created.err
    assert json.loads(created.out)["created"] is True
    assert goals(own) == [("X", kind, config)]


def test_create_can_be_repeated(own: Any) -> None:
    command = ("goals", "create", own.site, "--path", "/a")
    first, second = own(*command, tty=True), own(*command, tty=True)
    assert (first.code, second.code) == (Exit.OK, Exit.OK)
    assert first.err.endswith("was created\n")
    assert second.err.endswith("is there already, and none was created\n")
    assert len(goals(own)) == 1
    assert own(*command, "--duplicate").code == Exit.OK
    assert len(goals(own)) == 2
    assert own(*command, "--duplicate", "--name", "X").code == Exit.OK
    assert own(*command, "--duplicate", "--name", "X").code == Exit.OK
    several = own("goals", "delete", own.site, "X", "--yes")
    assert several.code == Exit.USAGE
    assert "goals 103, 104 of site 1 are all called 'X'" in several.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "what the goal counts must be given"),
        (["--path", "/a", "--event", "b"], "one kind of thing, got --path and --event"),
        (["--property", "a=b"], "--property must come with what the goal counts"),
        (["--event", "a", "--property", "b"], "--property must be a name and a value"),
        (["--event", "a", "--property", "b:=c"], "--property with := must have a number"),
        (["--path", ""], "must not be empty"),
    ],
)
def test_what_cannot_be_created(own: Any, flags: list[str], said: str) -> None:
    result = own("goals", "create", own.site, *flags)
    assert result.code == Exit.USAGE
    assert said in result.err
    assert not writes(own.server)


def test_update_changes_what_is_given(own: Any) -> None:
    created = own("goals", "create", own.site, "--name", "X", "--event", "buy")
    number = json.loads(created.out)["goal_id"]
    assert own("goals", "update", own.site, number, "--name", "Y").code == Exit.OK
    assert goals(own) == [("Y", "event", {"event_name": "buy"})]
    assert own("goals", "update", own.site, number, "--property", "n:=5").code == Exit.OK
    pair = {"event_name": "buy", "property_key": "n", "property_value": 5}
    assert goals(own) == [("Y", "event", pair)]
    assert (
        own("goals", "update", own.site, number, "--no-name", "--path", "/a", "--no-property").code
        == Exit.OK
    )
    assert goals(own) == [(None, "path", {"path_pattern": "/a"})]
    nothing = own("goals", "update", own.site, number)
    assert nothing.code == Exit.USAGE
    assert "what to change must be given" in nothing.err
    both = own("goals", "update", own.site, number, "--name", "Z", "--no-name")
    assert both.code == Exit.USAGE


def test_update_keeps_what_is_not_given(own: Any) -> None:
    filters = [{"key": "plan", "value": "pro"}, {"key": "n", "value": 5}]
    more = {"propertyFilters": filters}
    store = own.server.store
    path = store.add_goal(own.site, "path", {"pathPattern": "/a", **more})
    event = store.add_goal(own.site, "event", {"eventName": "buy", **more})

    def configs() -> list[Any]:
        return [goal.config for goal in store.goals(own.site)]

    assert own("goals", "update", own.site, path, "--path", "/b").code == Exit.OK
    assert own("goals", "update", own.site, event, "--event", "pay").code == Exit.OK
    assert configs() == [{"pathPattern": "/b", **more}, {"eventName": "pay", **more}]
    refused = own("goals", "update", own.site, event, "--outbound", "*")
    assert refused.code == Exit.USAGE
    assert "give them again with --property, or remove them with --no-property" in refused.err
    assert own("goals", "update", own.site, event, "--property", "n:=6").code == Exit.OK
    pair = {"eventPropertyKey": "n", "eventPropertyValue": 6}
    assert configs()[1] == {"eventName": "pay", **pair}
    assert own("goals", "update", own.site, path, "--no-property").code == Exit.OK
    assert configs()[0] == {"pathPattern": "/b"}


def test_delete_asks(own: Any) -> None:
    created = own("goals", "create", own.site, "--name", "X", "--event", "buy")
    command = ("goals", "delete", own.site, json.loads(created.out)["goal_id"])
    nobody = own(*command)
    assert nobody.code == Exit.USAGE
    assert "--yes" in nobody.err
    for answer in ("n\n", "\n", ""):
        refused = own(*command, stdin=answer, tty=True)
        assert refused.code == Exit.ERROR
        assert "(X; 0 conversions) of site 1? [y/N]" in refused.err
        assert "nothing was deleted" in refused.err
    assert len(goals(own)) == 1
    assert own(*command, stdin="y\n", tty=True).code == Exit.OK
    assert not goals(own)
    gone = own(*command, "--yes")
    assert gone.code == Exit.NOT_FOUND


def test_dry_run_prints_the_request_and_sends_none(own: Any) -> None:
    created = own("goals", "create", own.site, "--name", "X", "--event", "buy")
    number = json.loads(created.out)["goal_id"]
    before = writes(own.server)
    new = own("goals", "create", own.site, "--path", "/a", "--dry-run")
    assert new.code == Exit.OK
    method, path, body = new.out.strip().split(" ", 2)
    assert (method, path) == ("POST", f"/api/sites/{own.site}/goals")
    assert json.loads(body) == {"goalType": "path", "config": {"pathPattern": "/a"}}
    changed = own("goals", "update", own.site, number, "--name", "Y", "--dry-run")
    assert changed.out.startswith(f"PUT /api/sites/{own.site}/goals/{number} {{")
    deleted = own("goals", "delete", own.site, number, "--dry-run")
    assert deleted.out == f"DELETE /api/sites/{own.site}/goals/{number}\n"
    assert [one.err for one in (new, changed, deleted)] == ["nothing was sent\n"] * 3
    assert writes(own.server) == before == ["POST"]


def test_an_older_server_wants_a_password(cli: Cli) -> None:
    with RybbitServer(release="2.4") as server:
        site = server.store.add_site("example.com").site_id
        command = ("goals", "create", site, "--path", "/a")
        refused = cli(*command, url=server.url, key=server.api_key)
        assert refused.code == Exit.AUTHENTICATION
        assert "sign in with --email" in refused.err
        made = cli(
            *command,
            "--email",
            server.email,
            url=server.url,
            key=server.api_key,
            env={"RYBBIT_PASSWORD": server.password},
        )
        assert made.code == Exit.OK, made.err
        wrong = cli(
            *command, "--email", server.email, url=server.url, env={"RYBBIT_PASSWORD": "hunter2"}
        )
        assert wrong.code == Exit.AUTHENTICATION
        assert "password is wrong" in wrong.err
        assert "hunter2" not in wrong.err
