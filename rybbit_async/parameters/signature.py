"""The parameters that many methods share, in the signature of each of these methods."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import Parameter
from typing import Any, Final, TypeVar

from .common import CommonParameters
from .walk import WALK_DEFAULTS, WalkParameters

__all__ = ["expand_parameters"]

F = TypeVar("F", bound=Callable[..., Any])

# Annotations are text, as they are for all other parameters of this package.
_COMMON: Final = "Unpack[CommonParameters]"
_WALK: Final = "Unpack[WalkParameters]"


def expand_parameters(method: F) -> F:
    """Show the keys of ``**common`` or ``**walk`` as parameters in the signature of ``method``.

    ``help()``, IPython, Jupyter and Sphinx read ``__signature__`` and then list and complete
    ``start_date``, ``concurrency`` and the others after the method's own keywords. Type checkers
    and editors read the source, where ``Unpack[CommonParameters]`` or ``Unpack[WalkParameters]``
    says the same. The function itself is returned, so that a call costs nothing more.

    Raises:
        TypeError: the method takes neither of these, or one of their keys twice.
    """
    signature = inspect.signature(method)
    own = [*signature.parameters.values()]
    shared = own.pop() if own else None
    keys = None if shared is None else _keys().get(shared.annotation)
    if keys is None:
        raise TypeError(f"{method.__qualname__} must take **common: {_COMMON}, or **walk: {_WALK}")
    try:
        expanded = signature.replace(parameters=[*own, *keys])
    except ValueError as error:  # of two parameters with one name
        raise TypeError(f"{method.__qualname__}: {error}") from None
    method.__dict__["__signature__"] = expanded
    return method


@lru_cache(maxsize=1)
def _keys() -> Mapping[str, tuple[Parameter, ...]]:
    """The parameters that stand for each annotation: those of the walk, then the common ones."""
    common = _parameters(CommonParameters.__annotations__)
    own = WalkParameters.__annotations__.keys() - CommonParameters.__annotations__.keys()
    walk = _parameters({k: v for k, v in WalkParameters.__annotations__.items() if k in own})
    return {_COMMON: common, _WALK: (*walk, *common)}


def _parameters(annotations: Mapping[str, Any]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=WALK_DEFAULTS.get(name),
            annotation=getattr(annotation, "__forward_arg__", annotation),
        )
        for name, annotation in annotations.items()
    )
