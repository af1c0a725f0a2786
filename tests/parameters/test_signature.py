"""The common parameters in the signatures of the methods that take them."""

from __future__ import annotations

import inspect
import pydoc
import re
import typing
from typing import Any, Unpack
from unittest.mock import create_autospec

import pytest

from rybbit_async import CommonParameters, RybbitClient, WalkParameters
from rybbit_async.parameters.signature import expand_parameters
from rybbit_async.resources.goals import Goals, GoalSessions

COMMON = {
    "start_date": "date | str | None",
    "end_date": "date | str | None",
    "time_zone": "str | tzinfo | None",
    "past_minutes_start": "int | None",
    "past_minutes_end": "int | None",
    "filters": "Sequence[Filter] | None",
    "segment_id": "int | str | None",
}


WALK = {
    "concurrency": ("int | None", None),
    "ordered": ("bool", True),
    "limit": ("int | None", None),
    "strict": ("bool", False),
    "max_pages": ("int | None", None),
    "on_event": ("Callable[[Activity], object] | None", None),
}


class Resource:
    """A resource with both kinds of methods."""

    @expand_parameters
    def iter(self, site: int, *, page_size: int = 10, **walk: Unpack[WalkParameters]) -> int:
        """Walk."""
        return page_size + len(walk) + site

    @expand_parameters
    async def list(self, site: int, **common: Unpack[CommonParameters]) -> int:
        """Read a page."""
        return site + len(common)


def help_of(thing: object) -> str:
    """What ``help(thing)`` prints."""
    plain: Any = pydoc.__dict__["plaintext"]
    return pydoc.render_doc(thing, renderer=plain)


METHODS: list[Any] = [
    Resource.iter,
    Resource.list,
    Goals.list,
    Goals.iter,
    Goals.get,
    GoalSessions.list,
    GoalSessions.iter,
    GoalSessions.iter_all,
]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__qualname__)
def test_the_common_parameters_follow_the_methods_own(method: Any) -> None:
    shown = inspect.signature(method).parameters
    *own, last = inspect.signature(_plain(method)).parameters
    walk = {"common": {}, "walk": WALK}[last]
    assert [*shown] == [*own, *walk, *COMMON]
    for name, (annotation, default) in walk.items():
        assert shown[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert shown[name].default is default
        assert shown[name].annotation == annotation
    for name, annotation in COMMON.items():
        assert shown[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert shown[name].default is None
        assert shown[name].annotation == annotation


def _plain(method: Any) -> Any:
    """The same function without ``__signature__``."""
    return type(method)(method.__code__, method.__globals__, argdefs=method.__defaults__)


def test_the_methods_own_parameters_stay_as_they_are() -> None:
    signature = inspect.signature(Resource.iter)
    assert str(signature).startswith("(self, site: 'int', *, page_size: 'int' = 10, concurrency: ")
    assert str(signature).endswith(", segment_id: 'int | str | None' = None) -> 'int'")


def test_a_bound_method_shows_them_without_self(client: RybbitClient) -> None:
    names = [*inspect.signature(client.goals.list).parameters]
    assert names == ["site", "page", "page_size", "sort", "order", *COMMON]


async def test_the_function_itself_is_returned() -> None:
    def method(**common: Unpack[CommonParameters]) -> None: ...

    assert expand_parameters(method) is method
    assert not hasattr(Resource.iter, "__wrapped__")
    assert inspect.iscoroutinefunction(Resource.list)
    assert not inspect.iscoroutinefunction(Resource.iter)
    assert Resource().iter(1, start_date="2024-01-01", end_date=None) == 13
    assert await Resource().list(1, time_zone="UTC") == 2


def test_the_annotations_still_resolve() -> None:
    hints = typing.get_type_hints(Resource.iter)
    assert hints["walk"] == Unpack[WalkParameters]
    assert hints["return"] is int


def test_the_text_of_an_annotation_is_what_the_typed_dict_says() -> None:
    hints = typing.get_type_hints(CommonParameters)
    names = vars(inspect.getmodule(CommonParameters))
    assert {name: eval(text, dict(names)) for name, text in COMMON.items()} == hints


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__qualname__)
def test_help_lists_them(method: Any) -> None:
    text = help_of(method)
    for name, annotation in COMMON.items():
        # Python 3.14 prints annotations without quotes.
        assert re.search(rf"{name}: '?{re.escape(annotation)}'? = None", text)
    assert "**common" not in text


def test_help_of_a_class_and_of_an_object_list_them(client: RybbitClient) -> None:
    for thing in (Goals, client.goals, client.goals.sessions):
        text = help_of(thing)
        assert re.search(r"past_minutes_end: '?int \| None'? = None", text)
        assert "**common" not in text


def test_help_explains_them() -> None:
    text = help_of(CommonParameters)
    for name in COMMON:
        assert f"{name}: " in text


def test_a_mock_with_this_specification_knows_them() -> None:
    mock = create_autospec(Resource, instance=True)
    mock.iter(1, start_date="2024-01-01")
    with pytest.raises(TypeError, match="startdate"):
        mock.iter(1, startdate="2024-01-01")


def test_methods_that_cannot_be_expanded() -> None:
    def without(site: int) -> None: ...
    def nothing() -> None: ...
    def positional(*common: int) -> None: ...

    for method in (without, nothing, positional):
        with pytest.raises(TypeError, match=rf"{method.__name__} must take \*\*common"):
            expand_parameters(method)

    def untyped(**common: Any) -> None: ...

    with pytest.raises(TypeError, match=r"untyped must take \*\*common: Unpack"):
        expand_parameters(untyped)

    def twice(*, filters: int, **common: Unpack[CommonParameters]) -> None: ...  # type: ignore[misc]  # what is tested

    with pytest.raises(TypeError, match=r"twice: .*'filters'"):
        expand_parameters(twice)
