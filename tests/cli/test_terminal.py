from __future__ import annotations

import asyncio
import os
import signal
from threading import Timer

import pytest
from rich.text import Text

from rybbit_async.cli.terminal import Terminal

from .streams import Stream


def test_ctrl_c_ends_a_write_that_blocks() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w") as out:
        press = Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        press.start()
        with pytest.raises(KeyboardInterrupt):
            Terminal(out).print(Text("x" * 10_000_000))
        press.join()
        # Closing the stream writes nothing more, which would block for ever.


async def test_ctrl_c_while_a_table_is_drawn() -> None:
    async def draw(terminal: Terminal) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        terminal.print(Text("x"))

    out = Stream()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(draw(Terminal(out)))
    assert out.data == b""


def test_a_reader_that_has_gone() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out, pytest.raises(BrokenPipeError):
        Terminal(out).print(Text("x"))


def test_any_encoding() -> None:
    out = Stream(encoding="ascii")
    terminal = Terminal(out)
    terminal.write("é")
    terminal.print(Text("→"))
    terminal.write_data("é→")
    assert out.data == b"\\xe9\\u2192\n" + "é→".encode()
    shown = Stream(encoding="latin-1", tty=True)
    Terminal(shown).write_data("é→")
    assert shown.data == b"\xe9\\u2192"
