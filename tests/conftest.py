"""Settings for every test: the Hypothesis profile, and a check that no key is ever shown.

A test fails if it prints, logs or raises an API key. ``pytest_configure`` replaces the methods of
``RybbitError`` that set attributes, so that every value stored in an error is checked, even if the
test never shows the error. ``pytest_runtest_makereport`` then searches the report of each test.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import settings

from rybbit_async import RybbitError

# No deadline, because a slow machine is not a failure.
settings.register_profile("rybbit", deadline=None, max_examples=40)
settings.load_profile("rybbit")

KEY = re.compile(r"rb_(?:org_)?[0-9a-f]{32}")
"""Matches the keys of an embedded server."""
leaks: list[str] = []
"""Attributes of errors that contained a key, as text, since the last report."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "echoes_key: the server sends the key back to the client")
    config.option.log_level = (
        config.option.log_level or "DEBUG"
    )  # so that every log line is checked

    def set_attribute(error: RybbitError, name: str, value: object) -> None:
        if KEY.search(repr(value)):
            leaks.append(f"{type(error).__name__}.{name} = {value!r}")
        Exception.__setattr__(error, name, value)

    def initialize(error: RybbitError, *args: object) -> None:
        set_attribute(error, "args", args)

    RybbitError.__setattr__ = set_attribute  # type: ignore[assignment]
    RybbitError.__init__ = initialize  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that printed, logged or raised a key, without showing the key."""
    report = yield
    text = "\n".join([report.longreprtext, *(text for _, text in report.sections)])
    # With this marker, errors contain the key until the client redacts them.
    if not item.get_closest_marker("echoes_key"):
        text += "\n".join(leaks)
    leaks.clear()
    if KEY.search(text):
        report.outcome = "failed"
        report.longrepr = f"a key was shown:\n{KEY.sub('rb_***', text)}"
        report.sections = []
        item._report_sections.clear()
    return report


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """Let SIGINT do what it does in a terminal: shells let background programs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
