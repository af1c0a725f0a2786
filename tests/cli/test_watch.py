from __future__ import annotations

import asyncio
import json
import os
import select
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rybbit_async import Retry, RybbitClient
from rybbit_async.cli.output.stream import Outlet
from rybbit_async.testing import RybbitServer, Store, faults

Cli = Callable[..., Any]


class Live:
    """A server to which visits come, each after so many lists of goals were asked for."""

    def __init__(self, server: RybbitServer) -> None:
        self.server, self.store, self.number = server, server.store, 0
        self.goal = self.store.add_goal(1, "path", {"pathPattern": "/thanks"}, name="Thanks")
        self.other = self.store.add_goal(1, "path", {"pathPattern": "/\x1b[31mother"})

    def visit(self, page: str = "/thanks", ago: float = 0) -> None:
        self.number += 1
        end = datetime.now(UTC) - timedelta(seconds=ago)
        self.store.add_session(
            1, end=end, session_id=f"s{self.number}", pages=["/", page], country="GR"
        )

    def after(self, lists: int, *actions: Callable[[], object]) -> None:
        """Do something before the list of goals is answered for the next time after ``lists``."""
        for at, action in enumerate(actions):
            self.server.inject(
                faults.Before(lambda action=action: _call(action)),
                skip=lists + at,
                when=lambda request: request.path.endswith("/goals"),
            )


async def _call(action: Callable[[], object]) -> None:
    action()


@pytest.fixture
def live() -> Iterator[Live]:
    with Store() as store:
        store.add_site("one")
        with RybbitServer(store=store) as server:
            yield Live(server)


@pytest.fixture
def watch(cli: Cli, live: Live) -> Cli:
    def watch(*options: str, **given: Any) -> Any:
        server = live.server
        return cli(
            "watch", 1, "--interval=0.01", *options, url=server.url, key=server.api_key, **given
        )

    return watch


def sessions(result: Any) -> list[str]:
    return [json.loads(line)["session"]["session_id"] for line in result.out.splitlines()]


def test_each_conversion_once(watch: Cli, live: Live) -> None:
    live.visit(ago=600)  # over before the watch begins, and goes on when it begins
    live.visit(ago=0)
    live.after(1, live.visit, live.visit, lambda: live.visit("/\x1b[31mother"))
    result = watch("--count=3")
    assert result.code == 0
    assert sessions(result) == ["s3", "s4", "s5"]
    first, *counts = result.err.splitlines()
    assert first.startswith("3 conversions in ")
    assert counts == ["       2  Thanks", "       1  /\\x1b[31mother"]


def test_sessions_that_are_over_do_not_come_again(watch: Cli, live: Live) -> None:
    def later() -> None:
        live.server.clock = lambda: datetime.now(UTC) + timedelta(minutes=40)

    live.visit()  # goes on when the watch begins
    live.after(1, live.visit, later, lambda: None, lambda: live.visit(ago=-2390))
    assert sessions(watch("--count=2")) == ["s2", "s3"]


def test_lines_for_people(watch: Cli, live: Live) -> None:
    live.after(1, live.visit, lambda: live.visit("/\x1b[31mother"))
    result = watch("--count=2", tty=True, width=70, env={"TERM": "dumb"})
    one, two = result.out.splitlines()
    assert one[8:] == "  Thanks                   GR  / > /thanks"
    assert two[8:] == "  /\\x1b[31mother           GR  / > /\\x1b[31mother"
    assert result.err.startswith("Watching all goals of site 1; times are in UTC. Ctrl-C ends it.")
    live.after(1, live.visit)
    colored = watch("--count=1", tty=True, width=120).out
    assert "\x1b[36mThanks" in colored
    assert "Direct" in colored


def test_some_goals(watch: Cli, live: Live) -> None:
    other = lambda: live.visit("/\x1b[31mother")  # noqa: E731 - for the table below
    live.after(2, other, live.visit)
    assert sessions(watch("--count=1", "--goal=Thanks")) == ["s2"]
    third = live.store.add_goal(1, "path", {"pathPattern": "/third"}, name="Third")
    live.after(2, other, live.visit, lambda: live.visit("/third"))
    assert sessions(watch("--count=2", f"--goal={third}", "--goal=Thanks")) == ["s4", "s5"]
    result = watch("--goal=xyz")
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("rybbit-async: --goal must be the number or the name of a goal")
    assert f"{live.goal} (Thanks), {live.other} (/\\x1b[31mother), " in result.err
    assert result.err.count("\n") == 1


def test_it_goes_on_from_its_state(watch: Cli, live: Live, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    options = ("--count=2", f"--state={state}")
    live.after(1, live.visit, live.visit)
    assert sessions(watch(*options)) == ["s1", "s2"]
    live.visit(ago=20)
    live.visit(ago=0)
    result = watch(*options)
    assert sessions(result) == ["s3", "s4"]
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    position = state.read_text()
    result = watch(*options, "--goal=Thanks")
    assert result.code == 2
    said = "--state must name a file that was written for the same site, goals and filters, got"
    assert f"{said} {state}" in result.err
    assert state.read_text() == position


def test_the_state_is_kept_after_each_poll(
    watch: Cli, live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, kept = tmp_path / "state.json", list[str]()

    def look() -> None:
        kept.append(state.read_text())

    live.after(1, look, live.visit)  # nothing has come until then
    live.after(3, look, live.visit)
    assert watch("--count=2", f"--state={state}").code == 0
    assert '"sessions":[]' in kept[0]
    assert '"s1"' in kept[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff", "must be a file that watch wrote"),
        (b"[]", "--state must name a file that was written"),
    ],
)
def test_a_file_that_is_no_state(watch: Cli, tmp_path: Path, text: bytes, message: str) -> None:
    state = tmp_path / "state.json"
    state.write_bytes(text)
    result = watch(f"--state={state}")
    assert result.code == 2
    assert message in result.err
    assert state.read_bytes() == text
    assert watch(f"--state={tmp_path / 'no' / 'file'}").code == 2


def test_a_line_that_was_not_written_comes_again(
    watch: Cli, live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state.json"
    written = Outlet.write

    async def fails(self: Outlet, text: str) -> None:
        if '"s2"' in text:
            raise BrokenPipeError
        await written(self, text)

    live.after(1, live.visit, live.visit)
    with monkeypatch.context() as patch:
        patch.setattr(Outlet, "write", fails)
        result = watch(f"--state={state}")
    assert result.code == 0
    assert sessions(result) == ["s1"]
    result = watch("--count=1", f"--state={state}")
    assert sessions(result) == ["s2"]  # and not the one before it


async def test_a_line_is_whole_also_if_ctrl_c_comes_just_then() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w") as out:
        outlet = Outlet(out, is_terminal=False)
        for length, whole in ((5, True), (1_000_000, False)):
            task = asyncio.create_task(outlet.write("x" * length))
            while not select.select([reader], [], [], 0)[0]:  # noqa: ASYNC110  # no event says it
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert outlet.whole is whole
            os.read(reader, 5)


def test_the_server_is_away(watch: Cli, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    once = partial(RybbitClient, retry=Retry(attempts=1))
    monkeypatch.setattr("rybbit_async.cli.settings.RybbitClient", once)
    live.after(8, live.visit)
    live.server.inject(
        faults.Status(503), times=4, skip=2, when=lambda request: request.path.endswith("/goals")
    )
    result = watch("--count=1")
    assert result.code == 0
    assert sessions(result) == ["s1"]
    away, back, *_ = result.err.splitlines()
    assert away.startswith("the server is away (ServerError): trying again, next in ")
    assert back == "the server answers again"


def test_it_ends_after_a_time(watch: Cli, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rybbit_async.cli.durations._UNITS", {"s": 0.05})
    result = watch("--for=1s")
    assert (result.code, result.out) == (0, "")
    assert result.err == "0 conversions in 0s\n"
    assert watch("--count=0").code == 2


@pytest.mark.parametrize(
    ("name", "code", "last"),
    [
        ("SIGINT", 130, "rybbit-async: interrupted; run the same command again to go on"),
        ("SIGTERM", 0, "       1  Thanks"),
    ],
)
def test_signals(watch: Cli, live: Live, tmp_path: Path, name: str, code: int, last: str) -> None:
    live.after(1, live.visit)
    live.after(5, lambda: os.kill(os.getpid(), getattr(signal, name)))
    state = tmp_path / "state"
    result = watch(f"--state={state}")
    assert result.code == code
    assert sessions(result) == ["s1"]
    assert result.err.startswith("1 conversion in ")
    assert result.err.splitlines()[-1] == last
    assert '"s1"' in state.read_text()
