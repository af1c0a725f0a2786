"""The exceptions: their tree, and that each one survives being pickled and copied."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import rybbit_async
from rybbit_async import errors

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
REQUEST: dict[str, Any] = {"method": "GET", "url": "https://example.com/api/goals/1?page=2"}
STATUS: dict[str, Any] = {
    **REQUEST,
    "message": "Validation error",
    "body": '{"error":"Validation error"}',
    "details": [{"code": "custom", "path": ["config"]}],
}


def _instances() -> list[errors.RybbitError]:
    made: list[errors.RybbitError] = [
        errors.RybbitError("something"),
        errors.InvalidParameterError("page must be at least 1, got 0"),
        errors.ClientClosedError("the client was closed"),
        errors.IncompleteWalkError(
            "rows may be missing", report=rybbit_async.Report(pages=3, complete=False)
        ),
        errors.APIConnectionError("connection refused", **REQUEST, sent=False),
        errors.APITimeoutError("no answer in 3 s", **REQUEST, sent=True),
        errors.APIResponseError(
            "data: is missing", path="data", **REQUEST, status=200, body='{"daten":[]}'
        ),
        errors.APIStatusError("418 I'm a teapot", status=418, **STATUS),
        errors.BadRequestError("400", status=400, **STATUS),
        errors.AuthenticationError("401", status=401, **STATUS),
        errors.PermissionDeniedError("403", status=403, **STATUS),
        errors.NotFoundError("404", status=404, **STATUS),
        errors.EndpointNotFoundError("404", status=404, **STATUS, route="/api/goals/{site}"),
        errors.RateLimitError("429", status=429, **STATUS, retry_after=1.5, scope="burst"),
        errors.ServerError("503", status=503, **STATUS),
    ]
    return made


INSTANCES = _instances()
ids = [type(error).__name__ for error in INSTANCES]


def _classes(top: type[Exception]) -> set[type[Exception]]:
    return {top}.union(*(_classes(below) for below in top.__subclasses__()))


def _public(top: type[Exception]) -> set[type[Exception]]:
    return {cls for cls in _classes(top) if cls.__module__ == errors.__name__}


def test_no_error_is_left_out_here() -> None:
    assert {type(error) for error in INSTANCES} == _public(errors.RybbitError)


def _assert_same(got: BaseException, error: BaseException) -> None:
    assert type(got) is type(error)
    assert got is not error
    assert str(got) == str(error)
    assert repr(got) == repr(error)
    assert got.args == error.args
    assert vars(got) == vars(error)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("error", INSTANCES, ids=ids)
def test_pickles(error: errors.RybbitError, protocol: int) -> None:
    _assert_same(pickle.loads(pickle.dumps(error, protocol)), error)


@pytest.mark.parametrize("error", INSTANCES, ids=ids)
def test_copies(error: errors.RybbitError) -> None:
    _assert_same(copy.copy(error), error)
    _assert_same(copy.deepcopy(error), error)


def test_a_deep_copy_shares_nothing() -> None:
    error = errors.BadRequestError("400", status=400, **STATUS)
    copy.deepcopy(error).details.append("more")
    assert error.details == [{"code": "custom", "path": ["config"]}]


def test_a_copy_is_changed_alone() -> None:
    error = errors.BadRequestError("400", status=400, **STATUS)
    other = copy.copy(error)
    other.status = 422
    assert error.status == 400


@pytest.mark.parametrize("error", INSTANCES, ids=ids)
def test_notes_survive(error: errors.RybbitError) -> None:
    error = copy.copy(error)
    error.add_note("in page 3")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["in page 3"]


class OwnError(errors.NotFoundError):
    """What a user may make of one."""

    def __init__(self, goal: int) -> None:
        super().__init__(f"no goal {goal}", status=404, **STATUS)
        self.goal = goal


def test_a_subclass_with_another_signature_pickles() -> None:
    _assert_same(pickle.loads(pickle.dumps(OwnError(7))), OwnError(7))


def _drawn(lines: Iterable[str]) -> dict[str, str | None]:
    """Each class of a drawn tree, and the class above it."""
    drawn: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in lines:
        found = re.match(r"([ │├└─]*)([A-Z]\w*(?:Error|Warning))\b", line)
        if not found:
            continue
        depth, name = len(found[1]), found[2]
        while above and above[-1][0] >= depth:
            above.pop()
        assert name not in drawn
        drawn[name] = above[-1][1] if above else None
        above.append((depth, name))
    return drawn


def _real(*tops: type[Exception]) -> dict[str, str | None]:
    real: dict[str, str | None] = {}
    for cls in set[type[Exception]]().union(*(_public(top) for top in tops)):
        parent = cls.__bases__[0]
        real[cls.__name__] = parent.__name__ if parent.__module__ == errors.__name__ else None
    return real


def test_the_docstring_draws_the_tree_of_classes() -> None:
    doc = (errors.__doc__ or "").splitlines()
    tree = [line for line in doc if line.startswith("    ")]
    assert _drawn(tree) == _real(errors.RybbitError) | {"RybbitWarning": None}


def test_the_readme_draws_the_tree_of_classes() -> None:
    (tree,) = re.findall(r"```text\n(RybbitError\n.*?)```", README, re.DOTALL)
    assert _drawn(tree.splitlines()) == _real(errors.RybbitError)


def test_what_the_classes_are_besides() -> None:
    assert issubclass(errors.InvalidParameterError, ValueError)
    assert issubclass(errors.RybbitWarning, UserWarning)
    assert not issubclass(errors.RybbitWarning, errors.RybbitError)


def test_every_error_is_exported() -> None:
    for cls in _public(errors.RybbitError) | {errors.RybbitWarning}:
        assert getattr(rybbit_async, cls.__name__) is cls
        assert cls.__name__ in rybbit_async.__all__


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (429, errors.RateLimitError),
        (500, errors.ServerError),
        (502, errors.ServerError),
        (503, errors.ServerError),
        (599, errors.ServerError),
        (302, errors.APIStatusError),
        (402, errors.APIStatusError),
        (409, errors.APIStatusError),
        (418, errors.APIStatusError),
        (431, errors.APIStatusError),
    ],
)
def test_status(status: int, cls: type[errors.APIStatusError]) -> None:
    assert errors.status_error_class(status) is cls


def test_defaults_of_a_rate_limit() -> None:
    error = errors.RateLimitError("429", status=429, message="", **REQUEST)
    assert (error.retry_after, error.scope, error.details, error.body) == (None, None, None, "")
