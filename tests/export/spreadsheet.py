"""A CSV file in a real spreadsheet; ``nox -s export_stores`` runs it if LibreOffice is installed.

LibreOffice opens the file and saves it as a workbook, whose cells are compared with the rows.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rybbit_async import Session
from rybbit_async.export.formats import open_part
from rybbit_async.tables import flat_rows, schema

from .rows import TEXTS, rows

OFFICE = shutil.which("soffice") or shutil.which("libreoffice")
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
# Comma, quotes, UTF-8, from the first line, every column as it is, English (US); then whether text
# in quotes is text, and whether other numbers than plain ones are found.
AS_TEXT = "CSV:44,34,76,1,,1033,true,true"
AS_IT_LIKES = "CSV:44,34,76,1,,1033,false,true"

pytestmark = [
    pytest.mark.skipif(OFFICE is None, reason="LibreOffice is not installed"),
    pytest.mark.timeout(300),
]


def workbook(csv: Path, tmp_path: Path, how: str = AS_TEXT) -> list[list[tuple[str, Any]]]:
    """The cells of a CSV file after LibreOffice has opened it: their types and values."""
    assert OFFICE is not None
    subprocess.run(
        [
            *(OFFICE, f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless"),
            *(f"--infilter={how}", "--convert-to", "xlsx", "--outdir", str(tmp_path)),
            str(csv),
        ],
        check=True,
        capture_output=True,
        timeout=240,
    )
    with zipfile.ZipFile(csv.with_suffix(".xlsx")) as book:
        strings = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    texts = [unescaped("".join(t.text or "" for t in si.iter(f"{SHEET}t"))) for si in strings]
    found: list[list[tuple[str, Any]]] = []
    for row in sheet.iter(f"{SHEET}row"):
        line: list[tuple[str, Any]] = []
        for cell in row.iter(f"{SHEET}c"):
            column = number_of(re.sub(r"\d", "", cell.attrib["r"]))
            line += [("empty", None)] * (column - len(line))
            value = cell.findtext(f"{SHEET}v")
            if cell.find(f"{SHEET}f") is not None:
                line.append(("formula", value))
            elif value is None:
                line.append(("empty", None))
            elif cell.attrib.get("t") == "s":
                line.append(("text", texts[int(value)]))
            else:
                line.append((cell.attrib.get("t", "n"), float(value)))
        found.append(line)
    return found


def number_of(letters: str) -> int:
    """The number of a column, from 0."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def unescaped(text: str) -> str:
    """Text with the characters that XML cannot have."""
    return re.sub(r"_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), text)


@pytest.mark.parametrize("raw", [False, True])
def test_no_cell_is_changed(tmp_path: Path, raw: bool) -> None:
    models = rows(3 * len(TEXTS))
    path = tmp_path / "sessions.csv"
    writer = open_part(Session, path, format="csv", raw=raw)
    writer.write(models)
    writer.close()
    names, *lines = workbook(path, tmp_path)
    columns = schema(Session).names
    assert names == [("text", name) for name in columns]
    expected = flat_rows(Session, models, times="text")
    for line, row in zip(lines, expected, strict=True):
        line += [("empty", None)] * (len(columns) - len(line))
        for (kind, found), (name, value) in zip(line, row.items(), strict=True):
            assert kind != "formula", (name, value)
            if isinstance(value, str):
                # A cell has no empty text, and one kind of line break.
                assert (kind, unchanged(found or "", raw)) == (
                    "text" if value else "empty",
                    re.sub("\r\n?", "\n", value),
                )
            elif value is None:
                assert kind == "empty", (name, found)
            else:
                assert (kind, found) == ("n", pytest.approx(value, rel=1e-15)), name


@pytest.mark.parametrize("raw", [False, True])
def test_no_cell_is_a_formula_however_the_file_is_opened(tmp_path: Path, raw: bool) -> None:
    path = tmp_path / "sessions.csv"
    writer = open_part(Session, path, format="csv", raw=raw)
    writer.write(rows(3 * len(TEXTS)))
    writer.close()
    kinds = {kind for line in workbook(path, tmp_path, AS_IT_LIKES) for kind, _ in line}
    assert ("formula" in kinds) == raw


def unchanged(text: str, raw: bool) -> str:
    return text if raw else text.removeprefix("'")
