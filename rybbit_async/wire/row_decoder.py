"""The fast way from bytes to rows, for values that fit; whatever does not takes the lenient one.

Default cattrs hooks take some 10 µs for a session of 36 fields, JSON included. This way takes a
sixth of that: msgspec decodes into a struct that knows the wire's names and refuses what it does
not know, and a function generated from the attrs class moves the values over. It describes no
class of its own: names, types and defaults are those of the attrs class, and the odd value is
put right by the hooks of the lenient way.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, cast

import attrs
import msgspec

__all__ = ["RowsDecoder"]

T = TypeVar("T")

_WIRE_TYPES: Final[Mapping[type, Any]] = {str: str, int: int, float: float, datetime: str}
# What msgspec says of a number where a text was expected: the path ends in the field's name.
_NUMBER_FOR_TEXT: Final = re.compile(
    r"Expected `str(?: \| null)?`, got `(?:int|float)` .*\.(\w+)`$"
)
_EXACT: Final = 2**63


class RowsDecoder(Generic[T]):
    """Decodes ``{"data": [...]}`` into instances of a frozen, slotted attrs class.

    Text that came as a number costs a check for each value, so fields are only checked for it
    once one has come: the decoder learns which.

    Args:
        cls: the class; each field is text, an integer, a number or a time, or ``None``, or in
            ``hooks``, and one more is called ``extra``. It has no ``__weakref__`` slot, see
            ``_draft``.
        wire: attribute -> wire name, where they differ.
        text, time: the lenient hooks.
        replaced: attribute -> value -> what stands for it.
        hooks: attribute -> its type on the wire, and what makes its value of the struct.
        meta: the type of what stands beside the rows, if anything of use does.
    """

    def __init__(
        self,
        cls: type[T],
        *,
        wire: Mapping[str, str],
        text: Callable[[Any], str],
        time: Callable[[Any], datetime],
        replaced: Mapping[str, Mapping[str, str]] | None = None,
        hooks: Mapping[str, tuple[Any, Callable[[Any], Any]]] | None = None,
        meta: Any = None,
    ) -> None:
        self._cls = cls
        self._wire = wire
        texts = [field.name for field in _fields(cls) if _kind(field)[0] is str]
        self._texts = {wire.get(name, name): name for name in texts}
        self._text = text
        self._time = time
        self._replaced = replaced or {}
        self._hooks = hooks or {}
        self._meta = meta
        self._draft = _draft(cls)
        self._loose: set[str] = set()  # the text fields that have come as numbers
        self._specialise()

    def __call__(self, body: bytes) -> tuple[tuple[T, ...], Any] | None:
        """The rows and what stands beside them, or ``None`` where anything does not fit."""
        try:
            page = self._decode(body)
            return tuple(self._build(page.data)), page.meta
        except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError):
            return None

    def _decode(self, body: bytes) -> Any:
        while True:
            try:
                return self._decoder.decode(body)
            except msgspec.ValidationError as error:
                found = _NUMBER_FOR_TEXT.search(str(error))
                name = self._texts.get(found.group(1)) if found else None
                if name is None or name in self._loose:
                    raise
                self._loose.add(name)
                self._specialise()

    # --- making the struct and the function ---------------------------------------------------

    def _specialise(self) -> None:
        row = msgspec.defstruct(
            f"{self._cls.__name__}Row",
            [self._field(field) for field in _fields(self._cls)],
            rename=dict(self._wire),
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,  # it lives for a moment, and in no cycle
        )
        meta = ("meta", self._meta) if self._meta is not None else ("meta", Any, None)
        page = msgspec.defstruct("Rows", [("data", list[row]), meta], kw_only=True, gc=False)  # type: ignore[valid-type]  # made at run time
        self._decoder: Any = msgspec.json.Decoder(page)
        self._build = self._builder()

    def _field(self, field: attrs.Attribute[Any]) -> Any:
        kind, optional = _kind(field)
        wanted = self._hooks[field.name][0] if field.name in self._hooks else _WIRE_TYPES[kind]
        if field.name in self._loose:
            wanted = str | int | float
        entry = (field.name, wanted | None if optional else wanted)
        return entry if field.default is attrs.NOTHING else (*entry, field.default)

    def _builder(self) -> Callable[[list[Any]], list[T]]:
        def number(value: float) -> str:
            if not abs(value) < _EXACT:
                raise ArithmeticError  # it may have been an integer with more digits than that
            return self._text(value)

        names: dict[str, Any] = {
            "new": object.__new__,
            "draft": self._draft,
            "cls": self._cls,
            "number": number,
            "time": self._time,
            "iso": datetime.fromisoformat,
        }
        lines = ["def build(rows):", " made = []", " add = made.append", " for row in rows:"]
        lines.append("  it = new(draft)")
        for field in _fields(self._cls):
            lines += self._move(field, names)
        lines += ["  it.extra = {}", "  it.__class__ = cls", "  add(it)", " return made"]
        exec("\n".join(lines), names)  # noqa: S102  # of field names alone, as attrs and cattrs do
        return cast("Callable[[list[Any]], list[T]]", names["build"])

    def _move(self, field: attrs.Attribute[Any], names: dict[str, Any]) -> list[str]:
        """The lines that move one value from the struct to the object."""
        name = field.name
        if name in self._hooks:
            names[f"hook_{name}"] = self._hooks[name][1]
            return [f"  it.{name} = hook_{name}(row)"]
        special: list[str] = []
        if name in self._loose:
            special.append("  if v.__class__ is int: v = str(v)")
            special.append("  elif v.__class__ is float: v = number(v)")
        elif _kind(field)[0] is datetime:
            # Observed: no zone, whole seconds. All else is for the lenient hook.
            special.append("  if v is not None: v = iso(v + 'Z') if len(v) == 19 else time(v)")
        for value, meaning in self._replaced.get(name, {}).items():
            special.append(f"  if v == {value!r}: v = {meaning!r}")
        if not special:
            return [f"  it.{name} = row.{name}"]
        return [f"  v = row.{name}", *special, f"  it.{name} = v"]


def _kind(field: attrs.Attribute[Any]) -> tuple[type, bool]:
    """A field's type, and whether it may be ``None``."""
    union = isinstance(field.type, types.UnionType)
    options: tuple[Any, ...] = typing.get_args(field.type) if union else ()
    rest = [option for option in options if option is not type(None)]
    if not options:
        return cast("type", field.type), False
    return rest[0], len(rest) < len(options)


def _fields(cls: type[Any]) -> list[attrs.Attribute[Any]]:
    return [f for f in attrs.fields(attrs.resolve_types(cls)) if f.name != "extra"]


def _draft(cls: type[Any]) -> type[Any]:
    """A class of the same layout that is not frozen.

    An object of it becomes one of ``cls`` when its class is set, which is one step where frozen
    attributes would be one each. Python lets slotted classes of equal layout do so, as long as
    neither has a ``__weakref__`` slot.
    """
    return attrs.make_class(
        f"{cls.__name__}Draft",
        [f.name for f in attrs.fields(cls)],
        init=False,
        eq=False,
        repr=False,
        slots=True,
        weakref_slot=False,
    )
