"""What every test shares: how Hypothesis runs, and that no key is ever shown."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

from rybbit_async import RybbitError

# No deadline: a busy machine is not a failure.
settings.register_profile("rybbit", deadline=None, max_examples=60)
settings.load_profile("rybbit")

KEY = re.compile(r"rb_(?:org_)?[0-9a-f]{32}")
"""The shape of an embedded server's keys."""
raised: list[str] = []
"""What errors were made with, where it holds a key."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "echoes_key: the server sends the key back")
    config.option.log_level = config.option.log_level or "DEBUG"  # so that all of it is looked at

    def look(error: RybbitError, name: str, value: object) -> None:
        if KEY.search(repr(value)):
            raised.append(f"{type(error).__name__}.{name} = {value!r}")
        Exception.__setattr__(error, name, value)

    def begin(error: RybbitError, *args: object) -> None:
        look(error, "args", args)

    RybbitError.__setattr__ = look  # type: ignore[assignment]
    RybbitError.__init__ = begin  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that printed, logged or raised a key, and do not show it either."""
    report = yield
    text = "\n".join([report.longreprtext, *(text for _, text in report.sections)])
    if not item.get_closest_marker("echoes_key"):  # then there is one that is not redacted yet
        text += "\n".join(raised)
    raised.clear()
    if KEY.search(text):
        report.outcome = "failed"
        report.longrepr = f"a key was shown:\n{KEY.sub('rb_***', text)}"
        report.sections = []
        item._report_sections.clear()
    return report
