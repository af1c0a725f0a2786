"""The models: frozen, slotted, picklable values."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from rybbit_async import (
    ButtonClickGoal,
    CopyGoal,
    EventGoal,
    Filter,
    FormSubmitGoal,
    Goal,
    GoalResult,
    GoalSession,
    OutboundGoal,
    Page,
    PageMeta,
    PathGoal,
    PropertyFilter,
    RawResponse,
    Session,
    User,
)

GOAL = Goal(
    264,
    4,
    "404",
    "path",
    PathGoal("/404", extra={"propertyFilters": []}),
    datetime(2026, 11, 24, 8, 13, 46, 605470, UTC),
    1,
    17,
    1 / 17,
    extra={"new": [1]},
)
SESSION = Session("s1", "u1", country="", lat=1.5, extra={"new": {"a": 1}})
VALUES: list[Any] = [
    PathGoal("/a/**"),
    PathGoal("/a/**", property_filters=[PropertyFilter("utm_source", "x")]),
    EventGoal("signup", "plan", "pro"),
    EventGoal("signup", property_filters=[PropertyFilter("seats", 3, extra={"new": [1]})]),
    OutboundGoal("https://*"),
    ButtonClickGoal(),
    FormSubmitGoal(),
    CopyGoal(property_filters=[]),
    PropertyFilter("plan", True),
    GOAL,
    Goal(1, None, None, "scroll", {"depth": "*"}),
    SESSION,
    GoalSession("0123456789ab", GOAL, SESSION),
    GoalResult(True, 269),
    RawResponse(200, {"Content-Type": "text/plain"}, b"abc"),
    PageMeta(2, 1, 10, 1),
    Page((GOAL,), PageMeta(2, 1, 10, 1)),
    Page((SESSION,)),
    Filter("country", "equals", ["US", "CA"]),
]
values = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)


@values
def test_frozen(value: Any) -> None:
    for field in attrs.fields(type(value)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(value, field.name)


@values
def test_slotted(value: Any) -> None:
    assert not hasattr(value, "__dict__")
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(value, "more", 1)


@values
def test_pickles_and_copies(value: Any) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) == value
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value


@values
def test_hash_follows_equality(value: Any) -> None:
    other = copy.deepcopy(value)
    assert hash(other) == hash(value)
    assert {value: 1}[other] == 1


def fields(value: Any) -> list[attrs.Attribute[Any]]:
    """Those that make a value; the class of a page's rows only says what columns a table has."""
    return [
        field for field in attrs.fields(type(value)) if (type(value), field.name) != (Page, "model")
    ]


@values
def test_every_field_counts_in_equality(value: Any) -> None:
    for field in fields(value):
        # Past the constructor, for a Filter would not take just any value.
        other = copy.copy(value)
        object.__setattr__(other, field.name, "another")
        assert other != value, field.name


def test_extra_counts_in_equality_and_takes_no_part_in_the_hash() -> None:
    plain, more = PathGoal("/a"), PathGoal("/a", extra={"x": []})
    assert plain != more
    assert hash(plain) == hash(more)
    assert len({plain, more}) == 2


def test_a_goal_of_an_unknown_type_is_hashable_although_its_config_is_a_dict() -> None:
    goal = Goal(1, 2, None, "outbound", {"valuePattern": "*"})
    assert {goal: 1}[goal] == 1
    assert goal != attrs.evolve(goal, config={"valuePattern": "/"})


def test_values_of_another_class_are_not_equal() -> None:
    path: object = PathGoal("a")
    assert path != EventGoal("a")
    outbound: object = OutboundGoal("a")
    assert outbound != CopyGoal("a")


def test_extras_are_not_shared() -> None:
    assert PathGoal("a").extra is not PathGoal("a").extra


def test_extra_is_only_taken_by_name() -> None:
    with pytest.raises(TypeError):
        PathGoal("/a", {"x": 1})  # type: ignore[misc, unused-ignore]


@values
def test_repr_shows_the_class_and_its_fields(value: Any) -> None:
    text = repr(value)
    assert text.startswith(type(value).__name__ + "(")
    for field in fields(value):
        assert f"{field.name}=" in text


def test_repr_of_a_response_does_not_show_a_megabyte() -> None:
    text = repr(RawResponse(200, {}, b"secret" * 100_000))
    assert "600000 bytes" in text
    assert len(text) < 100


def test_a_page_is_a_sequence() -> None:
    other = attrs.evolve(GOAL, goal_id=265)
    page = Page((GOAL, other))
    assert isinstance(page, Sequence)
    assert len(page) == 2
    assert list(page) == list(page) == [GOAL, other]
    assert (page[0], page[-1], page[1:], page[::-1]) == (GOAL, other, (other,), (other, GOAL))
    assert [*reversed(page)] == [other, GOAL]
    assert page.index(other) == 1
    assert SESSION not in page
    with pytest.raises(IndexError):
        page[2]
    assert page.meta is None
    assert page
    assert not Page[Goal](())


@pytest.mark.parametrize("make", [
    lambda value: PropertyFilter("seats", value),
    lambda value: EventGoal("signup", "seats", value),
    lambda value: EventGoal("signup", property_filters=[PropertyFilter("seats", value)]),
    lambda value: PathGoal("/", extra={"new": [value]}),
    lambda value: Goal(1, 1, None, "event", EventGoal("signup", "seats", value)),
    lambda value: Goal(1, 1, None, "scroll", {"depth": {"least": value}}),
    lambda value: User("u", traits={"admin": value}),
])  # fmt: skip
def test_a_boolean_is_not_a_number(make: Callable[[Any], Any]) -> None:
    assert make(1) != make(True)
    assert make(False) != make(0)
    assert make(1) == make(1.0)
    assert hash(make(1)) == hash(make(1.0))
    assert len({make(1), make(1.0), make(True)}) == 2


def test_what_was_not_sent_is_none() -> None:
    session = Session("s")
    fields = {field.name for field in attrs.fields(Session)} - {"session_id", "extra"}
    assert {getattr(session, name) for name in fields} == {None}
    assert session.extra == {}
