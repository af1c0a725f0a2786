"""Rows with values that formats and spreadsheets like to change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rybbit_async import Session

TEXTS = [
    *("", " ", "00123", "1e5", "1.50", "1,5", "TRUE", "NULL", "null", "2024-01-01", "1/2", "12:30"),
    *("a,b;c\td", 'say "hi"', '"', '""', "two\nlines", "two\r\nlines", "end\\", "x" * 5000),
    *("Straße", "日本語", "👩‍💻", "\ufeffmark", "café", "e\u0301", "\u200b"),
    *("=1+1", "+49 30 1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1+1", "\uff1d1+1", "'", "'=1", "''x"),
    *('=HYPERLINK("http://example.com","x")', "-", "=", "2+2", "a=b", "/path?x=1"),
]
NUMBERS = [None, 0.0, -0.5, 1e-7, 52.520008, -179.99999999999997, 1e15, 0.1 + 0.2]


def rows(count: int, text: Callable[[int], str] = lambda n: TEXTS[n % len(TEXTS)]) -> list[Session]:
    """Sessions, all different, whose texts come from ``text``."""
    return [
        Session(
            session_id=f"s{n:07}",
            user_id=text(n),
            country=None if n % 3 else "DE",
            page_title=text(n + 1),
            querystring=None if n % 2 else text(n + 2),
            session_end=datetime.fromtimestamp(1_700_000_000 + n, UTC),
            screen_width=None if n % 5 else n,
            lat=NUMBERS[n % len(NUMBERS)],
            extra={"new": text(n)} if n % 7 == 0 else {},
        )
        for n in range(count)
    ]


def as_written(row: dict[str, Any]) -> dict[str, Any]:
    """A flat row with its times as text, as far as Parquet has them as times."""
    return {
        name: f"{value.isoformat()[:-6]}Z" if isinstance(value, datetime) else value
        for name, value in row.items()
    }
