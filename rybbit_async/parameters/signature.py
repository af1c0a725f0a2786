"""The common parameters in the signatures of the methods that take them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from inspect import Parameter
from typing import Any, TypeVar

from .common import CommonParameters

__all__ = ["expand_common"]

F = TypeVar("F", bound=Callable[..., Any])


def expand_common(method: F) -> F:
    """Show each common parameter in the signature of ``method``, in place of ``**common``.

    ``help()``, IPython, Jupyter and Sphinx read ``__signature__`` and then list and complete
    ``start_date`` and the others after the method's own keywords. Type checkers and editors read
    the source, where ``**common: Unpack[CommonParameters]`` says the same. The function itself is
    returned, so that a call costs nothing more.

    Raises:
        TypeError: the method does not take ``**common``, or takes a common parameter twice.
    """
    signature = inspect.signature(method)
    own = list(signature.parameters.values())
    if not own or own.pop().kind is not Parameter.VAR_KEYWORD:
        raise TypeError(f"{method.__qualname__} must take **common: Unpack[CommonParameters]")
    try:
        expanded = signature.replace(parameters=[*own, *_common()])
    except ValueError as error:  # of two parameters with one name
        raise TypeError(f"{method.__qualname__}: {error}") from None
    method.__dict__["__signature__"] = expanded
    return method


@lru_cache(maxsize=1)
def _common() -> tuple[Parameter, ...]:
    # Annotations as text, as they are for all other parameters of this package.
    return tuple(
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=None,
            annotation=getattr(annotation, "__forward_arg__", annotation),
        )
        for name, annotation in CommonParameters.__annotations__.items()
    )
