"""Values of other classes stand for plain ones: enumerations, and the numbers of numpy."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Any

import pytest

from rybbit_async.plain import comparable, index_of, plain, plain_float

from .stand_ins import Int64, NumpyBool, NumpyFloat


class Text(str, enum.Enum):  # noqa: UP042  # the kind whose text is its name
    A = "a"


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"

    def __format__(self, spec: str) -> str:
        return "LOUD"

    __repr__ = __str__


class Number(enum.IntEnum):
    TWO = 2


class Ratio(float, enum.Enum):
    HALF = 0.5


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (Text.A, "a"),
        (enum.StrEnum("S", {"A": "a"}).A, "a"),  # type: ignore[attr-defined]  # made here
        (Loud("a"), "a"),
        (Number.TWO, 2),
        (Int64(7), 7),
        (Ratio.HALF, 0.5),
        (NumpyFloat(0.5), 0.5),
        (NumpyBool(True), True),
        (NumpyBool(False), False),
        (True, True),
        (10**400, 10**400),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_value_stands_for(value: Any, meant: Any) -> None:
    found = plain(value)
    assert found == meant
    assert type(found) is type(meant)
    assert f"{found}" == f"{meant}"


@pytest.mark.parametrize("value", [None, b"a", [1], {"a": 1}, Decimal(1), 1j, int], ids=str)
def test_what_stands_for_itself(value: Any) -> None:
    assert plain(value) is value


def test_integers() -> None:
    assert index_of(Int64(7)) == 7
    assert type(index_of(Number.TWO)) is int
    for value in (True, NumpyBool(True), 1.0, "1", None, Decimal(1)):
        assert index_of(value) is None


def test_durations_of_any_class() -> None:
    values: list[Any] = [Int64(7), NumpyFloat(7.5), Decimal("7.5"), True, "7.5", None, 7, 10**400]
    assert [plain_float(value) for value in values] == [7, 7.5, 7.5, True, "7.5", None, 7, 10**400]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, True, False),
        (0, False, False),
        (1, 1.0, True),
        (True, True, True),
        ("1", 1, False),
        ([1, [True]], [1, [1]], False),
        ({"a": [{"b": 0}]}, {"a": [{"b": False}]}, False),
        ({"a": 1, "b": 2.0}, {"b": 2, "a": 1.0}, True),
        ([], {}, False),
        (None, False, False),
    ],
)
def test_what_is_the_same_to_a_server(one: Any, other: Any, same: bool) -> None:
    assert (comparable(one) == comparable(other)) is same
    assert comparable(one) == comparable(one)
