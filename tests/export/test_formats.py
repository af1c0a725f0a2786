"""Files of rows: what is written is what is read, in every format."""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from attrs import evolve

from rybbit_async import InvalidParameterError, Session
from rybbit_async.export import disk
from rybbit_async.export.errors import ExportStoreError
from rybbit_async.export.formats import open_part, suffix
from rybbit_async.tables import flat_rows, schema
from rybbit_async.wire.json import Body
from rybbit_async.wire.page_reader import DATA, page_reader

from .rows import as_written, rows

KINDS: list[tuple[Any, Any]] = [
    ("parquet", None),
    *((kind, how) for kind in ("jsonl", "csv") for how in ("none", "gzip", "zstd")),
]
COUNT = 100
ROWS = rows(COUNT)
FLAT = flat_rows(Session, ROWS, times="text")


def written(path: Path, kind: Any, how: Any = None, **options: Any) -> bytes:
    writer = open_part(Session, path, format=kind, compression=how, **options)
    for start in range(0, COUNT, 33):
        writer.write(ROWS[start : start + 33])
    facts = writer.close()
    data = path.read_bytes()
    assert (facts.rows, facts.bytes) == (COUNT, len(data)) == (writer.rows, len(data))
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    return data


def unpacked(data: bytes, how: str | None) -> bytes:
    if how == "gzip":
        return gzip.decompress(data)
    if how == "zstd":
        return pa.CompressedInputStream(pa.py_buffer(data), "zstd").read()
    return data


def text_cells(data: bytes) -> list[list[tuple[bool, str]]]:
    """The cells of a CSV file, and whether each was in quotes; read by the rules of RFC 4180."""
    lines: list[list[tuple[bool, str]]] = [[]]
    text = data.decode()
    at = 0
    while at < len(text):
        if quoted := text[at] == '"':
            end, value = at + 1, ""
            while True:
                close = text.index('"', end)
                value += text[end:close]
                if text[close + 1] != '"':
                    break
                value, end = value + '"', close + 2
            at = close + 1
        else:
            end = min(text.index(mark, at) for mark in (",", "\r\n") if mark in text[at:])
            value, at = text[at:end], end
        lines[-1].append((quoted, value))
        if text[at] == ",":
            at += 1
            if text.startswith("\r\n", at):
                lines[-1].append((False, ""))
        if text.startswith("\r\n", at):
            at += 2
            lines.append([])
    assert lines.pop() == []
    return lines


def test_parquet(tmp_path: Path) -> None:
    written(tmp_path / "part", "parquet")
    table = pq.read_table(tmp_path / "part")
    assert table.schema.equals(schema(Session), check_metadata=True)
    assert list(map(as_written, table.to_pylist())) == FLAT


def test_a_row_group_is_written_as_it_fills_and_has_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rybbit_async.export.formats.parquet._ROW_GROUP", 40)
    monkeypatch.setattr("rybbit_async.export.formats.parquet.ROWS_AT_ONCE", 20)
    written(tmp_path / "part", "parquet")
    with pq.ParquetFile(tmp_path / "part") as file:
        groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [66, 34]
    column = groups[0].column(schema(Session).names.index("session_id"))
    assert (column.statistics.min, column.statistics.max) == ("s0000000", "s0000065")
    # One dictionary for the group: what does not fit one would be written as it is.
    country = groups[0].column(schema(Session).names.index("country"))
    assert (country.compression, country.has_dictionary_page) == ("ZSTD", True)
    assert country.encodings == ("PLAIN", "RLE", "RLE_DICTIONARY")


LEAN_ROWS: list[dict[str, Any]] = [
    {
        "session_id": f"s{n}",
        "browser_version": 120 + n,
        "session_start": "2026-11-20 10:15:00",
        "session_end": f"2026-11-20 10:15:01.{n}",
        "ip": None,
        "lat": n,
        "new": {"a": [n]},
    }
    for n in range(3)
]


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv"])
def test_lean_rows_give_the_same_file(tmp_path: Path, kind: Any) -> None:
    read, body = page_reader(Session, DATA), Body(json.dumps({"data": LEAN_ROWS}).encode())
    model = read(body).items
    lean = read.lean(body).items
    assert isinstance(model[0], Session)
    assert not isinstance(lean[0], Session)
    files: list[bytes] = []
    for some in (model, lean):
        writer = open_part(Session, tmp_path / "part", format=kind)
        writer.write(some)
        writer.close()
        files.append((tmp_path / "part").read_bytes())
    assert files[0] == files[1]


def test_times_in_json_lines(tmp_path: Path) -> None:
    east = timezone(timedelta(hours=2))
    times = [
        datetime(2026, 11, 20, 10, 15, tzinfo=UTC),
        datetime(2026, 11, 20, 12, 15, 1, 500_000, tzinfo=east),
        datetime(1, 1, 1, tzinfo=UTC),
        None,
    ]
    writer = open_part(Session, tmp_path / "part", format="jsonl")
    writer.write([Session(session_id="s", session_end=time) for time in times])
    writer.close()
    lines = (tmp_path / "part").read_text().splitlines()
    assert [json.loads(line)["session_end"] for line in lines] == [
        "2026-11-20T10:15:00Z",
        "2026-11-20T10:15:01.500000Z",
        "0001-01-01T00:00:00Z",
        None,
    ]


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_json_lines(tmp_path: Path, how: str) -> None:
    data = unpacked(written(tmp_path / "part", "jsonl", how), how)
    lines = data.decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == FLAT
    assert list(json.loads(lines[0])) == schema(Session).names


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_csv(tmp_path: Path, how: str) -> None:
    data = unpacked(written(tmp_path / "part", "csv", how, raw=True), how)
    names, *lines = text_cells(data)
    assert [name for _, name in names] == schema(Session).names
    for line, row in zip(lines, FLAT, strict=True):
        for (quoted, text), value in zip(line, row.values(), strict=True):
            assert quoted == isinstance(value, str)
            if quoted:
                assert text == value
            else:
                assert (float(text) if text else None) == value
                assert "e" not in text
    # Python's own reader agrees.
    assert [[text for _, text in line] for line in (names, *lines)] == list(
        csv.reader(io.StringIO(data.decode(), newline=""))
    )


def test_no_cell_of_a_csv_file_can_run_as_a_formula_and_the_change_can_be_undone(
    tmp_path: Path,
) -> None:
    data = written(tmp_path / "part", "csv")
    assert data.startswith(b'\xef\xbb\xbf"session_id",')
    _, *lines = text_cells(data[3:])
    changed = 0
    for line, row in zip(lines, FLAT, strict=True):
        for (quoted, text), value in zip(line, row.values(), strict=True):
            if quoted:
                assert text.lstrip()[:1] not in ("=", "+", "-", "@", "\uff1d")
                assert text[0:1] not in ("\t", "\r", "\n")
                assert text.removeprefix("'") == value
                changed += text != value
    assert changed > COUNT / 5


@pytest.mark.parametrize(("kind", "how"), KINDS)
def test_a_part_without_rows_has_its_columns(tmp_path: Path, kind: Any, how: Any) -> None:
    path = tmp_path / "part"
    writer = open_part(Session, path, format=kind, compression=how)
    writer.write([])
    assert writer.close().rows == 0
    if kind == "parquet":
        assert pq.read_table(path).schema.equals(schema(Session))
    else:
        text = unpacked(path.read_bytes(), how).decode("utf-8-sig")
        assert text.count("\r\n") == (1 if kind == "csv" else 0)
        assert text.startswith('"session_id","user_id"') or kind == "jsonl"


@pytest.mark.parametrize(("kind", "how"), KINDS)
def test_the_same_rows_give_the_same_bytes(tmp_path: Path, kind: Any, how: Any) -> None:
    assert written(tmp_path / "a", kind, how) == written(tmp_path / "b", kind, how)


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv"])
def test_halves_of_characters_are_replaced(tmp_path: Path, kind: Any) -> None:
    # JSON can have them, UTF-8 cannot.
    writer = open_part(Session, tmp_path / "part", format=kind)
    writer.write([Session("1", page_title="a\ud800b", lat=float("inf")), Session("2", lat=0.5)])
    writer.close()
    data = (tmp_path / "part").read_bytes()
    if kind == "parquet":
        assert pq.read_table(tmp_path / "part")["page_title"].to_pylist() == ["a\ufffdb", None]
        return
    assert "a\ufffdb" in data.decode()
    if kind == "jsonl":
        found = [json.loads(line) for line in data.splitlines()]
        assert [row["lat"] for row in found] == [None, 0.5]


def test_numbers_of_more_than_64_bits_keep_their_digits_in_text(tmp_path: Path) -> None:
    for kind in ("jsonl", "csv"):
        writer = open_part(Session, tmp_path / kind, format=kind)
        writer.write([evolve(ROWS[0], pageviews=2**70)])
        writer.close()
        assert str(2**70) in (tmp_path / kind).read_text("utf-8")


# --- what a caller asks for ------------------------------------------------------------------


def test_suffixes() -> None:
    assert [suffix(kind, how) for kind, how in KINDS] == [
        *(".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".csv", ".csv.gz", ".csv.zst")
    ]
    assert (suffix("parquet", "zstd"), suffix("jsonl")) == (".parquet", ".jsonl")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "json"}, "format must be 'csv', 'jsonl' or 'parquet', got 'json'"),
        ({"format": "csv", "compression": "gz"}, "did you mean 'gzip'"),
        ({"format": "parquet", "compression": "gzip"}, "compression must be 'zstd' or None for"),
        ({"format": "jsonl", "raw": True}, "raw must be False unless format is 'csv'"),
        ({"format": None}, "format must be"),
    ],
)
def test_a_format_that_is_not_known_is_refused_before_anything_is_written(
    tmp_path: Path, options: Any, message: str
) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        open_part(Session, tmp_path / "part", **options)
    assert not [*tmp_path.iterdir()]


# --- disks that fail --------------------------------------------------------------------------


def failing(call: int, error: Exception) -> Callable[..., None]:
    """A ``disk.write`` that raises at this call and after it."""
    write, calls = disk.write, iter(range(10_000))

    def fail(file: Any, data: Any) -> None:
        if next(calls) >= call:
            raise error
        write(file, data)

    return fail


@pytest.mark.parametrize(("kind", "how"), KINDS)
def test_a_full_disk_is_told_and_the_part_can_be_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, how: Any
) -> None:
    monkeypatch.setattr("rybbit_async.export.formats.part.ROWS_AT_ONCE", 10)
    monkeypatch.setattr("rybbit_async.export.formats.parquet.ROWS_AT_ONCE", 50)
    monkeypatch.setattr("rybbit_async.export.formats.parquet._ROW_GROUP", 50)
    path = tmp_path / "part"
    write_all(path, kind, how)
    whole = path.read_bytes()
    # Parquet makes several calls for each column of each row group.
    for call in range(0, 1000, 29 if kind == "parquet" else 1):
        try:
            with monkeypatch.context() as patch:
                patch.setattr(disk, "write", failing(call, OSError(errno.ENOSPC, "no space")))
                write_all(path, kind, how)
        except ExportStoreError as error:
            told = error
        else:
            assert call > 0
            assert path.read_bytes() == whole
            return
        assert "the disk is full. Free some space and run the export again" in str(told)
        assert told.path == str(path)
        # What is there is not whole, and nothing is left open: ResourceWarnings fail.
        assert path.stat().st_size < len(whole)


def write_all(path: Path, kind: Any, how: Any) -> None:
    writer = open_part(Session, path, format=kind, compression=how)
    try:
        writer.write(ROWS)
        writer.close()
    except BaseException:
        writer.abort()
        writer.abort()
        raise


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_part_can_be_given_up_at_any_time(tmp_path: Path, kind: Any) -> None:
    writer = open_part(Session, tmp_path / "part", format=kind, compression=None)
    writer.write(ROWS)
    writer.abort()
    size = (tmp_path / "part").stat().st_size
    writer.abort()
    assert (tmp_path / "part").stat().st_size == size


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_file_that_is_not_what_was_written_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    writer = open_part(Session, tmp_path / "part", format=kind)
    writer.write(ROWS)
    # The disk loses the end.
    monkeypatch.setattr(disk, "write", lambda file, data: file.write(data[: len(data) // 2]))
    writer.write(ROWS)
    with pytest.raises(ExportStoreError, match=r"must have \d+ bytes after it was written, got"):
        writer.close()
    writer.abort()


def test_a_footer_with_other_rows_is_found(tmp_path: Path) -> None:
    writer = open_part(Session, tmp_path / "part", format="parquet")
    writer.write(ROWS)
    writer.rows += 1
    with pytest.raises(ExportStoreError, match="of 101 rows after it was written, got 100 rows"):
        writer.close()


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportStoreError, match=r"cannot write .*missing.part: it is not there"):
        open_part(Session, tmp_path / "missing" / "part", format="csv")
