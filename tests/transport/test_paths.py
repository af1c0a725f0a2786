"""Path templates, and the values that are filled into them."""

from __future__ import annotations

import enum
import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rybbit_async import InvalidParameterError
from rybbit_async.transport.paths import check_template, fill_path, parameters_of
from rybbit_async.transport.routes import Route

TEMPLATE = "/api/users/{user}/{site}"


class Word(str, enum.Enum):  # noqa: UP042  # a str whose own text is the name of a member
    NAME = "name"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("abc-._~", "abc-._~"),
        ("auth0|42", "auth0%7C42"),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("%2e%2e", "%252e%252e"),
        ("a?b#c", "a%3Fb%23c"),
        ("a&b=c;d", "a%26b%3Dc%3Bd"),
        ("me@example.com", "me%40example.com"),
        ("{site}", "%7Bsite%7D"),
        ("ü€😀", "%C3%BC%E2%82%AC%F0%9F%98%80"),
        ("a\r\nX: y", "a%0D%0AX%3A%20y"),
        ("...", "..."),
        (".hidden", ".hidden"),
        (42, "42"),
        (-1, "-1"),
        (Word.NAME, "name"),
        (re.RegexFlag.A, "256"),
    ],
)
def test_a_value_is_percent_encoded(value: Any, encoded: str) -> None:
    assert fill_path(TEMPLATE, {"user": value, "site": 1}) == f"/api/users/{encoded}/1"


@given(st.text(min_size=1))
def test_a_value_is_one_segment_and_can_be_decoded(value: str) -> None:
    try:
        path = fill_path(TEMPLATE, {"user": value, "site": 1})
    except InvalidParameterError:
        assert "\0" in value or {".", ".."} & set(re.split(r"[/\\]", value))
        return
    _, api, users, user, site = path.split("/")
    assert (api, users, site) == ("api", "users", "1")
    assert re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+", user)
    assert user not in {".", ".."}
    assert unquote(user) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", "must not be empty"),
        (".", "'.' or '..' as a segment"),
        ("..", "'.' or '..' as a segment"),
        ("../admin", "'.' or '..' as a segment"),
        ("a/../b", "'.' or '..' as a segment"),
        ("a\\..\\b", "'.' or '..' as a segment"),
        ("a\0b", "NUL"),
        ("\ud800", "surrogate"),
        (None, "must be a str or an int, got None$"),
        (True, "must be a str or an int, got bool"),
        (1.5, "must be a str or an int, got float"),
        (["a"], "must be a str or an int, got list"),
        (b"a", "must be a str or an int, got bytes"),
        pytest.param(10**5_000, "an integer of at most 4300 digits, got <int>", id="digits"),
    ],
)
def test_values_that_are_refused(value: Any, text: str) -> None:
    with pytest.raises(InvalidParameterError, match=text) as caught:
        fill_path(TEMPLATE, {"user": value, "site": 1})
    assert "path parameter user" in str(caught.value)


def test_a_value_that_is_missing() -> None:
    with pytest.raises(InvalidParameterError, match="path parameter site must be given"):
        fill_path(TEMPLATE, {"user": "a"})


@pytest.mark.parametrize(
    "path",
    [
        "/api/sites/1/goals",
        "/api/users/auth0%7C42/1",
        "/api/users/auth0%7c42/1",
        "/api/a%2Fb",
        "/api/a%20b%C3%BC",
        "/api/...",
        "/api/.well-known/a..b",
        "/a@b:c+d=e,f~g",
        TEMPLATE,
    ],
)
def test_paths_that_are_accepted_as_they_are(path: str) -> None:
    assert check_template(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "/api/50%",
        "/api/%",
        "/api/%7",
        "/api/%zz",
        "/api/%2e",
        "/api/%2E./a",
        "/api/.%2e/a",
        "/api/a%2F..%2Fb",
        "/api/..%2Fb",
        "/api/..%5Cb",
        "/api/{user",
        "/api/user}",
        "/api/{}",
        "/api/{a b}",
        "/api/{1}",
        "/api/{user}.json",
        "/api/a|b",
        "/api/a\n",
        "/api/é",
    ],
)
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(InvalidParameterError, match="path must be a path such as"):
        check_template(path)


@pytest.mark.parametrize("path", ["/api/%00", "/api/a%00b/{user}"])
def test_a_path_with_an_escaped_nul_is_refused(path: str) -> None:
    with pytest.raises(InvalidParameterError, match="path must not contain NUL"):
        check_template(path)


def test_the_parameters_of_a_template() -> None:
    assert parameters_of(TEMPLATE) == {"user", "site"}
    assert parameters_of("/api/version") == set()


def test_a_route_has_a_path_in_each_layout() -> None:
    route = Route("/api/users/{user}/{site}", "/api/sites/{site}/users/{user}")
    params: dict[str, str | int] = {"site": 1, "user": "a b"}
    assert route.path("goals", params) == "/api/users/a%20b/1"
    assert route.path("sites", params) == "/api/sites/1/users/a%20b"
    assert (route.is_common, route.is_in_both) == (False, True)
    assert Route("/api/version", "/api/version").is_common
    assert not Route(None, "/api/sites/{site}/users").is_in_both
