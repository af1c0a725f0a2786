"""Exports to an S3-compatible server; ``nox -s export_stores`` runs it.

The server is moto's, on a real socket. Starting it takes seconds, so that these tests are not among
those that every change runs.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow.dataset as ds
import pyarrow.fs
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from rybbit_async import InvalidParameterError, Session
from rybbit_async.export.errors import ExportLockedError, ExportStoreError
from rybbit_async.export.formats import open_part
from rybbit_async.export.store import Store, open_store

from .rows import rows

KEY, SECRET = "export-key", "export-secret"
PART = "sessions/site=1/window=2024-01/part-1-1.parquet"

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:botocore.*", "ignore::DeprecationWarning:moto.*"
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def options(server: str) -> dict[str, Any]:
    return {"key": KEY, "secret": SECRET, "endpoint_url": server}


@pytest.fixture
def store(options: dict[str, Any], request: pytest.FixtureRequest) -> Store:
    bucket = f"b{abs(hash(request.node.name))}"
    s3fs.S3FileSystem(**options, skip_instance_cache=True).mkdir(bucket)
    return open_store(f"s3://{bucket}/exports/rybbit", options)


def test_parts_and_small_files(store: Store) -> None:
    assert store.list() == []
    assert store.read(PART) is None
    local = store.new_part(PART)
    writer = open_part(Session, local, format="parquet")
    writer.write(rows(1000))
    facts = writer.close()
    store.publish(local, PART, facts.bytes)
    assert not local.exists()
    store.write("_manifest/a.json", b"1")
    store.write("_manifest/a.json", b"2")
    assert store.read("_manifest/a.json") == b"2"
    assert store.list() == ["_manifest/a.json", PART]
    assert store.list("_manifest") == ["_manifest/a.json"]
    system = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(store.filesystem))
    folder = store.address("sessions").removeprefix("s3://")
    found = ds.dataset(folder, filesystem=system, partitioning="hive").to_table()
    assert (found.num_rows, found["site"][0].as_py()) == (1000, 1)
    store.remove([PART, PART, "_manifest/a.json"])
    assert store.list() == []


def test_a_part_of_several_uploads(store: Store) -> None:
    size = 120 * 2**20  # s3fs sends more than 100 MiB in pieces
    local = store.new_part(PART)
    with local.open("wb") as file:
        file.truncate(size)
    store.publish(local, PART, size)
    assert store.filesystem.info(store.address(PART))["size"] == size


def test_several_threads(store: Store) -> None:
    def work(n: int) -> None:
        local = store.new_part(f"{PART}{n}")
        local.write_bytes(b"x" * n)
        store.publish(local, f"{PART}{n}", n)
        assert store.read(f"{PART}{n}") == b"x" * n

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(32)))
    assert len(store.list()) == 32


def test_one_run_at_a_time(store: Store, options: dict[str, Any]) -> None:
    other = open_store(store.shown, options)
    with store.lock("_manifest/lock") as held:
        assert not held.lost
        with pytest.raises(ExportLockedError, match=r"process \d+ on .*, and has it until"):
            other.lock("_manifest/lock").__enter__()
    with other.lock("_manifest/lock"), pytest.raises(ExportLockedError):
        store.lock("_manifest/lock").__enter__()


def test_of_many_that_begin_at_once_one_has_the_lease(
    store: Store, options: dict[str, Any]
) -> None:
    stores = [open_store(store.shown, options) for _ in range(8)]
    together, got = threading.Barrier(len(stores)), []

    def begin(one: Store) -> None:
        together.wait(60)
        lock = one.lock("lock")
        try:
            lock.__enter__()
        except ExportLockedError:
            return
        got.append(lock)

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(begin, stores))
    (lock,) = got
    lock.__exit__(None, None, None)


def test_a_bucket_that_is_missing_is_told(options: dict[str, Any]) -> None:
    store = open_store("s3://missing/rybbit", options)
    assert store.list() == []
    with pytest.raises(ExportStoreError, match=r"cannot write s3://missing/rybbit/a: .*bucket"):
        store.write("a", b"")


def test_a_server_that_is_not_there_is_told_without_secrets() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"key": KEY, "secret": SECRET, "endpoint_url": f"http://127.0.0.1:{port}"}
    store = open_store("s3://bucket/rybbit", {**options, "config_kwargs": {"retries": {}}})
    store.filesystem.retries = 1
    local = store.new_part(PART)
    with pytest.raises(ExportStoreError, match=f"cannot upload s3://bucket/rybbit/{PART}") as told:
        store.publish(local, PART, 0)
    assert f"127.0.0.1:{port}" in str(told.value)
    assert SECRET not in str(told.value) + repr(store)
    assert local.exists()


def test_an_upload_that_breaks_off_leaves_what_was_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = store.new_part(PART)
    local.write_bytes(b"old")
    store.publish(local, PART, 3)
    local = store.new_part(PART)
    local.write_bytes(b"newer")
    call = type(store.filesystem)._call_s3

    async def break_off(self: Any, method: str, **options: Any) -> Any:
        if method == "put_object":
            raise ConnectionResetError("connection lost")
        return await call(self, method, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(store.filesystem), "_call_s3", break_off)
        with pytest.raises(ExportStoreError, match="ConnectionResetError: connection lost"):
            store.publish(local, PART, 5)
    assert store.read(PART) == b"old"
    store.publish(local, PART, 5)
    assert store.read(PART) == b"newer"


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("s3:///", "to must name a bucket or a folder"),
        ("s3://ky:word@bucket/x", "to must have no user and password for s3://"),
    ],
)
def test_a_url_that_is_none_is_refused(to: str, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message) as told:
        open_store(to)
    assert "word@" not in str(told.value)
