"""The fast way from bytes to the rows of a page. Imported when the first page is read.

``structuring`` takes some 30 µs for a session of 36 fields, including the JSON; this takes 2 µs.
msgspec decodes a row into a struct that has the names of the JSON and refuses any field that it
does not have, and a function generated from the model moves the values to an instance of the
model. The model is the only description of a row: names, types and defaults come from it.

The struct is strict at first: it accepts only the types of the model. When a page does not fit, its
rows are decoded one by one, and the decoder learns from those that do not fit: from then on it
accepts a field in the form in which it was sent (a number for text, text for a number), and keeps a
field that the model does not have. So a check costs time only if some row has needed it. A row that
still does not fit is structured by cattrs, alone. The fields beside the rows that nobody reads are
learned in the same way.

Who only wants the values of the rows, as tables do, can have *lean* rows: the structs themselves,
whose attributes have the values of the model. That saves half of the time. Only times differ: they
are naive, in UTC, since msgspec reads them so much faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from operator import attrgetter
from typing import Annotated, Any, Final, Generic, TypeVar, cast

import msgspec

from ..pages import Page
from .converter import structure
from .envelope import Envelope
from .fields import JsonField, extra_field, json_fields
from .json import Body
from .values import (
    REPAIRS,
    Genuine,
    check_depth,
    number_text,
    object_in_text,
    to_datetime,
    to_float,
    to_int,
    to_mapping,
)

__all__ = ["MAX_UNKNOWN", "PageDecoder"]

T = TypeVar("T")

# How many unknown fields are learned, in rows and as many beside them; a row with further ones is
# structured by cattrs. Since the struct is compiled again for each, this limits what a hostile
# server can make the client do.
MAX_UNKNOWN: Final = 64
# After so many rows that were structured by cattrs, the unknown fields are forgotten and learned
# anew: a server that sent nonsense once does not take the place of fields that come later.
FORGET_AFTER: Final = 10_000
MAX_NAME: Final = 100  # characters in the name of a field that is learned
MAX_TEXTS: Final = 4096  # texts of integers that are kept

# What the struct has for each kind of field: at first; once the field was sent in another form; and
# what converts a value ``v`` from then on.
_STRICT: Final[Mapping[type, Any]] = {
    str: str, int: int, float: float, bool: bool, Genuine.datetime: str, dict: dict[str, Any],
}  # fmt: skip
_LOOSE: Final[Mapping[type, Any]] = {
    str: str | int | float, int: int | float | str, float: float | str,
}  # fmt: skip
_CONVERSIONS: Final[Mapping[type, tuple[str, ...]]] = {
    str: ("if v.__class__ is int: v = text[v]", "elif v.__class__ is float: v = number_text(v)"),
    int: ("if v is not None and v.__class__ is not int: v = to_int(v)",),
    float: ("if v.__class__ is str: v = to_float(v)",),
}
_CONVERTED: Final[Mapping[type, frozenset[type]]] = {
    str: frozenset({int, float}), int: frozenset({str, float}), float: frozenset({str}),
}  # fmt: skip

# Everything that a page or a row that does not fit may raise.
_MISFITS: Final = (ArithmeticError, RecursionError, ValueError, msgspec.MsgspecError)


class PageDecoder(Generic[T]):
    """Decodes the pages of one list, and learns what their rows look like.

    Args:
        model: an attrs class. Instances are made without calling its ``__init__``, so it must
            have no converters, validators or ``__attrs_post_init__``.
        envelope: where in a body the rows and the figures are.
    """

    def __init__(self, model: type[T], envelope: Envelope) -> None:
        self._model = model
        self._envelope = envelope
        self._rows_of: Callable[[Any], Any] = attrgetter(envelope.rows)
        self._find = {path: attrgetter(path) for path in envelope.paths}
        self._levels = envelope.rows.count(".") + 3  # of nesting, down to a row
        split = _page_type(envelope, msgspec.Raw, only_known=False)
        self._split: Any = msgspec.json.Decoder(split)
        self._shape = _Shape(model, envelope)
        self._odd_rows = 0

    def decode(self, body: Body) -> Page[T] | None:
        """The page, or ``None`` where anything does not fit."""
        levels = body.max_depth - self._levels
        if levels < 1:  # no field may be a list or an object, and the fast way does not check that
            return None
        shape = self._shape
        try:
            try:
                page = shape.decode_page(body.data)
                items = shape.build(self._rows_of(page), levels)
            except _MISFITS:
                page = self._split.decode(body.data)
                self._shape = shape.with_unread(_unread(body, self._envelope))
                items = self._row_by_row(self._rows_of(page), levels)
            find = self._find
            return self._envelope.page_of(self._model, tuple(items), lambda path: find[path](page))
        except _MISFITS:
            return None

    def decode_lean(self, body: Body) -> Page[Any] | None:
        """The same with lean rows. Those of a page that does not fit at once are of the model."""
        levels = body.max_depth - self._levels
        if levels >= 1:
            lean, find = self._shape.lean, self._find
            try:
                page = lean.decode_page(body.data)
                rows = self._rows_of(page)
                lean.mend(rows, levels)
                return self._envelope.page_of(
                    self._model, tuple(rows), lambda path: find[path](page)
                )
            except _MISFITS:
                pass  # the shape learns below what the next pages may have
        return self.decode(body)

    def _row_by_row(self, rows: list[msgspec.Raw], levels: int) -> list[T]:
        items: list[T] = []
        for raw in rows:
            shape = self._shape
            try:
                items += shape.build([shape.decode_row(raw)], levels)
            except _MISFITS:
                items.append(self._odd_row(raw, shape, levels))
        return items

    def _odd_row(self, raw: msgspec.Raw, shape: _Shape[T], levels: int) -> T:
        row = Body(bytes(raw), levels + 1).json()
        base = shape
        if self._odd_rows >= FORGET_AFTER:
            self._odd_rows, base = 0, shape.without_unknown()
        grown = base.grown(to_mapping(row))
        if grown is not shape:
            self._shape = grown
            try:
                return grown.build([grown.decode_row(raw)], levels)[0]
            except _MISFITS:
                pass
        self._odd_rows += 1
        return structure(row, self._model)


def _unread(body: Body, envelope: Envelope) -> list[str]:
    """The paths of what an envelope holds and nobody reads: text, numbers, booleans and null.

    Raises:
        BadJSONError: a field beside the rows is nested too deeply.
    """
    data, levels, at, unread = body.data, body.max_depth, "", list[str]()
    for step in envelope.rows.split("."):
        inside, levels = _FIELDS.decode(data), levels - 1
        data = inside.pop(step)
        for name, value in inside.items():
            unread += _unread_at(f"{at}{name}", Body(bytes(value), levels).json(), envelope)
        at += f"{step}."
    return unread


def _unread_at(path: str, value: object, envelope: Envelope) -> list[str]:
    if not path.rpartition(".")[2].isidentifier() or path in envelope.paths:
        return []
    if not isinstance(value, (dict, list)):
        return [path]
    # A list or an object that is skipped is looked at each time, since it may be nested deeply.
    if isinstance(value, list) or not any(one.startswith(f"{path}.") for one in envelope.paths):
        return []
    inside = cast("dict[str, Any]", value).items()
    return [one for name, held in inside for one in _unread_at(f"{path}.{name}", held, envelope)]


_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _page_type(
    envelope: Envelope, row: Any, unread: tuple[str, ...] = (), *, only_known: bool
) -> Any:
    """A struct for a body, with ``row`` as the type of a row.

    Args:
        unread: the paths of the fields that may be there besides.
        only_known: refuse fields that the struct lacks; otherwise they are skipped.
    """
    tree: dict[str, Any] = {}
    types = {
        envelope.rows: list[row],
        **dict.fromkeys(envelope.paths, Any),
        **dict.fromkeys(unread, _UNREAD),
    }
    for path, kind in types.items():
        *steps, last = path.split(".")
        branch = tree
        for step in steps:
            branch = branch.setdefault(step, {})
        branch[last] = kind
    return _struct_of(tree, only_known)


def _struct_of(tree: Any, only_known: bool) -> Any:
    if not isinstance(tree, dict):
        return tree
    items = cast("dict[str, Any]", tree).items()
    fields = [
        (name, kind, msgspec.UNSET) if kind is _UNREAD else (name, _struct_of(kind, only_known))
        for name, kind in items
    ]
    return msgspec.defstruct(
        "Envelope", fields, forbid_unknown_fields=only_known, kw_only=True, gc=False
    )


# A field of an envelope that nobody reads; it may be absent.
_UNREAD: Final[Any] = str | int | float | bool | None


class _Shape(Generic[T]):
    """What the rows have looked like so far, with the struct and the function made for that.

    A shape never changes, so several threads can use one decoder.

    Args:
        loose: the fields that were sent in another form than the model has.
        unknown: the names of fields that the model does not have.
        unread: the paths of fields of the envelope that nobody reads.

    Attributes:
        decode_page, decode_row: from bytes to structs.
        build: from structs to instances of the model; the second argument says how many levels
            of lists and objects a field may have.
    """

    def __init__(
        self,
        model: type[T],
        envelope: Envelope,
        loose: frozenset[str] = frozenset(),
        unknown: tuple[str, ...] = (),
        unread: tuple[str, ...] = (),
    ) -> None:
        self._model = model
        self._envelope = envelope
        self._loose = loose
        self._unknown = unknown
        self._unread = unread
        struct = _row_struct(model, loose, unknown)
        self.decode_row: Callable[[msgspec.Raw], Any] = msgspec.json.Decoder(struct).decode
        page = _page_type(envelope, struct, unread, only_known=True)
        self.decode_page: Callable[[bytes], Any] = msgspec.json.Decoder(page).decode
        self.build: Callable[[list[Any], int], list[T]] = _builder(model, loose, unknown)

    @cached_property
    def lean(self) -> _LeanShape:
        """The same for lean rows."""
        return _LeanShape(self._model, self._envelope, self._loose, self._unknown, self._unread)

    def without_unknown(self) -> _Shape[T]:
        """A shape without the fields that the model does not have."""
        return _Shape(self._model, self._envelope, self._loose, unread=self._unread)

    def with_unread(self, paths: Sequence[str]) -> _Shape[T]:
        """This shape, or a new one whose envelope may also have the fields at these paths."""
        unread = tuple(dict.fromkeys((*self._unread, *paths)))[:MAX_UNKNOWN]
        if unread == self._unread:
            return self
        return _Shape(self._model, self._envelope, self._loose, self._unknown, unread)

    def grown(self, row: Mapping[str, Any]) -> _Shape[T]:
        """This shape, or a new one that also fits ``row`` if that can be learned."""
        fields = json_fields(self._model)
        loose = {field.name for field in fields if _is_loose(field, row.get(field.json_name))}
        unknown = list(self._unknown)
        if extra_field(self._model) is not None:
            known = {field.json_name for field in fields} | {*unknown}
            unknown += [name for name in row if name not in known and _can_learn(name)]
        if loose <= self._loose and len(unknown[:MAX_UNKNOWN]) == len(self._unknown):
            return self
        return _Shape(
            self._model,
            self._envelope,
            self._loose | loose,
            tuple(unknown[:MAX_UNKNOWN]),
            self._unread,
        )


class _LeanShape:
    """What makes lean rows; see ``_Shape``.

    Attributes:
        decode_page: from bytes to structs.
        mend: gives the structs the values that the model would have.
    """

    def __init__(
        self,
        model: type[Any],
        envelope: Envelope,
        loose: frozenset[str],
        unknown: tuple[str, ...],
        unread: tuple[str, ...],
    ) -> None:
        struct = _row_struct(model, loose, unknown, lean=True)
        page = _page_type(envelope, struct, unread, only_known=True)
        self.decode_page: Callable[[bytes], Any] = msgspec.json.Decoder(page).decode
        self.mend: Callable[[list[Any], int], None] = _mender(model, loose, unknown)


def _is_loose(field: JsonField, value: object) -> bool:
    """Whether a value is of another type than the field, and one that may be converted."""
    other = None if field.kind is None else _CONVERTED.get(field.kind)
    return other is not None and type(value) in other


def _can_learn(name: str) -> bool:
    # msgspec allows no quotes, backslashes and control characters in names.
    return len(name) <= MAX_NAME and name.isprintable() and not {*name} & {'"', "\\"}


# --- from bytes to structs ---------------------------------------------------------------------


def _row_struct(
    model: type[Any], loose: frozenset[str], unknown: tuple[str, ...], *, lean: bool = False
) -> Any:
    """A struct with the fields of the model and the unknown ones, by their names in JSON.

    That of a lean row has an attribute for all of the unknown ones, too.
    """
    fields = json_fields(model)
    extra = extra_field(model)
    namespace = {extra: _extra_of(unknown)} if lean and extra is not None else None
    names = {field.name: field.json_name for field in fields}
    names |= {f"unknown_{number}": name for number, name in enumerate(unknown)}
    return msgspec.defstruct(
        f"{model.__name__}Row",
        [
            *(_entry(field, field.name in loose, extra is not None, lean) for field in fields),
            *((f"unknown_{number}", Any, msgspec.UNSET) for number in range(len(unknown))),
        ],
        namespace=namespace,
        rename=names,
        forbid_unknown_fields=extra is not None,
        kw_only=True,
        gc=False,  # short-lived, and never in a reference cycle
    )


def _extra_of(unknown: tuple[str, ...]) -> Any:
    """The attribute of a lean row that has its unknown fields."""
    if not unknown:
        return {}
    named = {f"unknown_{number}": name for number, name in enumerate(unknown)}

    def extra(row: Any) -> dict[str, Any]:
        values = {name: getattr(row, field) for field, name in named.items()}
        return {name: value for name, value in values.items() if value is not msgspec.UNSET}

    return property(extra)


# The same times as ``to_datetime`` reads, of those that servers send: without a time zone, with six
# digits after the second at most.
_NAIVE: Final[Any] = Annotated[Genuine.datetime, msgspec.Meta(tz=False)]


def _entry(field: JsonField, loose: bool, part_of_api: bool, lean: bool) -> Any:
    wanted: Any = Any
    if lean and field.kind is Genuine.datetime:
        wanted = _NAIVE
    elif field.class_by is not None:
        wanted = dict[str, Any]
    elif field.is_text:
        wanted = str | dict[str, Any]
    elif field.kind is not None:
        wanted = _LOOSE[field.kind] if loose else _STRICT[field.kind]
    if field.optional:
        wanted |= None
    if not field.required:
        return field.name, wanted, None if field.default is None else msgspec.UNSET
    if field.optional and part_of_api:
        # In the API's classes, an optional field that was not sent is ``None``.
        return field.name, wanted, None
    return field.name, wanted


# --- from structs to the model -----------------------------------------------------------------


class _Texts(dict[int, str]):
    """The texts of integers: most repeat, as versions and years do."""

    def __missing__(self, number: int) -> str:
        text = str(number)
        if len(self) < MAX_TEXTS and len(text) < 20:
            self[number] = text
        return text


def _builder(
    model: type[T], loose: frozenset[str], unknown: tuple[str, ...]
) -> Callable[[list[Any], int], list[T]]:
    """A function that makes instances of the model from structs.

    Attributes of a frozen class are slow to set. So the function sets those of a draft, and then
    changes the class of the draft to the model.
    """
    names = {**_names(), "model": model, "draft": _draft(model)}
    lines: list[str] = []
    for field in json_fields(model):
        lines += _move(field, field.name in loose, names)
    extra = extra_field(model)
    if extra is not None:
        lines.append("extra = {}")
        for number, name in enumerate(unknown):
            names[f"name_{number}"] = name
            lines += [
                f"v = row.unknown_{number}",
                "if v is not UNSET:",
                "    if v.__class__ is dict or v.__class__ is list: check_depth(v, levels)",
                f"    extra[name_{number}] = v",
            ]
        lines.append(f"it.{extra} = extra")
    source = "\n".join(
        [
            "def build(rows, levels):",
            "    items = []",
            "    last = moment = None",  # the time that was converted last; often it repeats
            "    for row in rows:",
            "        it = draft()",
            *(f"        {line}" for line in lines),
            "        it.__class__ = model",
            "        items.append(it)",
            "    return items",
        ]
    )
    exec(source, names)  # noqa: S102  # of the model's own names, as attrs and cattrs do; nothing that a server sent
    return cast("Callable[[list[Any], int], list[T]]", names["build"])


def _mender(
    model: type[Any], loose: frozenset[str], unknown: tuple[str, ...]
) -> Callable[[list[Any], int], None]:
    """A function that gives lean rows the values of the model, in place."""
    names, lines = _names(), list[str]()
    for field in json_fields(model):
        convert = _converted(field, field.name in loose, names)
        if convert and field.kind is not Genuine.datetime:
            lines += [f"v = row.{field.name}", *convert, f"row.{field.name} = v"]
    for number in range(len(unknown)):
        lines += [
            f"v = row.unknown_{number}",
            "if v.__class__ is dict or v.__class__ is list: check_depth(v, levels)",
        ]
    body = "\n".join(f"        {line}" for line in lines or ["pass"])
    exec(f"def mend(rows, levels):\n    for row in rows:\n{body}", names)  # noqa: S102  # as above
    return cast("Callable[[list[Any], int], None]", names["mend"])


def _names() -> dict[str, Any]:
    """What the conversions of values use."""
    return {
        "UNSET": msgspec.UNSET,
        "text": _Texts(),
        "number_text": number_text,
        "to_int": to_int,
        "to_float": to_float,
        "to_datetime": to_datetime,
        "from_iso": Genuine.datetime.fromisoformat,
        "check_depth": check_depth,
        "object_in_text": object_in_text,
    }


def _draft(model: type[Any]) -> Any:
    """A subclass of the model whose attributes can be set, and which takes no arguments.

    Python lets an object change between classes with the same layout, as these two have.
    """
    metaclass: Any = type(model)
    return metaclass(
        f"{model.__name__}Draft",
        (model,),
        {
            "__slots__": (),
            "__init__": object.__init__,
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
        },
    )


def _move(field: JsonField, loose: bool, names: dict[str, Any]) -> list[str]:
    """The lines that move one value from the struct ``row`` to the object ``it``."""
    name, convert = field.name, _converted(field, loose, names)
    if not convert:
        return [f"it.{name} = row.{name}"]
    return [f"v = row.{name}", *convert, f"it.{name} = v"]


def _converted(field: JsonField, loose: bool, names: dict[str, Any]) -> list[str]:
    """The lines that turn ``v`` into the value of the model, also where nothing was sent."""
    name, convert = field.name, _conversion(field, loose, names)
    if not field.required and field.default is not None:
        names[f"default_{name}"] = field.default if field.factory is None else field.factory
        convert = [
            f"if v is UNSET: v = default_{name}" + ("()" if field.factory else ""),
            *(["else:", *(f"    {line}" for line in convert)] if convert else []),
        ]
    return convert


def _conversion(field: JsonField, loose: bool, names: dict[str, Any]) -> list[str]:
    """The lines that turn the value ``v`` of a struct into that of the model."""
    name, kind = field.name, field.kind
    if field.class_by is not None:
        tag, classes = field.class_by
        choices = {value: (cls, _only_text(cls)) for value, cls in classes.items()}
        names[f"object_{name}"] = partial(_object_by_tag, choices)
        return [f"v = object_{name}(row.{tag}, v, levels)"]
    if kind is None:
        names[f"object_{name}"] = partial(_object, field.type)
        guard = "if v is not None: " if field.optional else ""
        return [f"{guard}v = object_{name}(v, levels)"]
    if field.is_text:
        return ["v = {} if v == '{}' else object_in_text(v)", "if v: check_depth(v, levels)"]
    if kind is dict:
        return ["if v: check_depth(v, levels)"]
    if kind is Genuine.datetime:
        # Observed: whole seconds, and no time zone. Other forms are for the lenient function.
        return [
            "if v is not None:",
            "    if v != last:",
            "        moment = from_iso(v + 'Z') if len(v) == 19 else to_datetime(v)",
            "        last = v",
            "    v = moment",
        ]
    lines: list[str] = [*_CONVERSIONS[kind]] if loose else []
    if kind is str:
        meanings = REPAIRS.get(field.json_name, {})
        lines += [f"if v == {sent!r}: v = {meant!r}" for sent, meant in meanings.items()]
    return lines


def _object(kind: Any, value: object, levels: int) -> Any:
    check_depth(value, levels)
    return structure(value, kind)


def _object_by_tag(
    choices: Mapping[str, tuple[type[Any], str | None]],
    tag: str,
    value: dict[str, Any],
    levels: int,
) -> Any:
    """An object whose class depends on another field; without a class it stays as it was sent."""
    cls, only = choices.get(tag, (None, None))
    if cls is not None and only is not None and len(value) == 1:
        # Most goals are just a path, or the name of an event.
        text = value.get(only)
        if isinstance(text, str):
            return cls(text)
    check_depth(value, levels)
    return value if cls is None else structure(value, cls)


def _only_text(cls: type[Any]) -> str | None:
    """The name in JSON of the text that a class needs, if it needs one text and no more."""
    required = [field for field in json_fields(cls) if field.required]
    if len(required) == 1 and required[0].kind is str and required[0].json_name not in REPAIRS:
        return required[0].json_name
    return None
