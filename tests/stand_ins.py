"""Stand-ins for the scalars of numpy, which the tests do without."""

from __future__ import annotations


class Int64:
    """Like ``numpy.int64``: an integer that is no ``int``."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"np.int64({self.value})"


class NumpyFloat(float):
    """Like ``numpy.float64``: a ``float`` that is written otherwise."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"np.float64({float.__repr__(self)})"

    __str__ = __repr__


class NumpyBool:
    """Like ``numpy.bool``, which is known by its name: neither a ``bool`` nor an integer."""

    def __init__(self, value: bool) -> None:
        self.value = value

    def __bool__(self) -> bool:
        return self.value

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"np.{self.value}_"


NumpyBool.__name__ = "bool"
NumpyBool.__module__ = "numpy"
