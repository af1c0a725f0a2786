"""Stores: readers see a file whole or not at all, and errors say what to do but no secret."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from rybbit_async import InvalidParameterError
from rybbit_async.export import disk
from rybbit_async.export.errors import ExportLockedError, ExportStoreError, disk_error
from rybbit_async.export.store import Store, open_store
from rybbit_async.export.store.redact import redacted, shown_url

PART = "sessions/site=1/window=2024-01/part-1-1.parquet"
SMALL = "_manifest/export.json"


class Folders(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A file system with a move of its own, which does not replace files, as that of SMB."""

    protocol = "folders"
    store: dict[str, Any] = {}  # noqa: RUF012  # as its base class
    pseudo_dirs = [""]  # noqa: RUF012

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        if self.exists(path2):
            raise FileExistsError(path2)
        self.store[self._strip_protocol(path2)] = self.store.pop(self._strip_protocol(path1))


@pytest.fixture(params=["local", "memory", "folders"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "local":
        yield open_store(tmp_path / "export")
        return
    fsspec.register_implementation("folders", Folders, clobber=True)
    yield open_store(f"{request.param}://export")


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    yield
    for system in (MemoryFileSystem, Folders):
        system.store.clear()
        system.pseudo_dirs[:] = [""]


def publish(store: Store, path: str, data: bytes) -> None:
    local = store.new_part(path)
    try:
        try:
            with local.open("wb") as file:
                disk.write(file, data)
        except OSError as error:
            raise disk_error("write", local, error) from error
        store.publish(local, path, len(data))
    except BaseException:
        with suppress(Exception):
            store.discard(local)
        raise


# --- what a store does -----------------------------------------------------------------------


def test_a_store_that_was_not_used_is_empty_and_stays_so(store: Store, tmp_path: Path) -> None:
    assert store.list() == store.list("sessions") == []
    assert store.read(SMALL) is None
    store.remove([PART])
    assert not [*tmp_path.iterdir()]


def test_parts_and_small_files(store: Store) -> None:
    local = store.new_part(PART)
    local.write_bytes(b"new")
    # Readers look for names with this ending, and leave out those that begin with a dot.
    assert local.name.startswith(".part-1-1.parquet.")
    assert local.suffix == ".tmp"
    assert store.read(PART) is None
    store.publish(local, PART, 3)
    assert not local.exists()
    store.write(SMALL, b"{}")
    assert (store.read(PART), store.read(SMALL)) == (b"new", b"{}")
    assert store.list() == [SMALL, PART]
    assert store.list("sessions/site=1") == [PART]
    publish(store, PART, b"newer")
    store.write(SMALL, b"{1}")
    assert (store.read(PART), store.read(SMALL)) == (b"newer", b"{1}")
    assert store.list() == [SMALL, PART]
    store.remove([PART, PART, SMALL])
    assert store.list() == []


def test_a_part_that_is_discarded_leaves_nothing(store: Store, tmp_path: Path) -> None:
    local = store.new_part(PART)
    other = store.new_part(PART)
    assert local != other
    store.discard(local)
    store.discard(local)
    assert other.exists()
    store.discard(other)
    assert not other.exists()
    assert not [*tmp_path.rglob("*=*")]


def test_a_part_with_another_size_is_not_published(store: Store) -> None:
    publish(store, PART, b"old")
    local = store.new_part(PART)
    local.write_bytes(b"cut")
    with pytest.raises(ExportStoreError, match=r"must have 5 bytes .*, got 3"):
        store.publish(local, PART, 5)
    # A store of objects shows what was uploaded; there only the manifest counts.
    assert store.read(PART) == b"old" or type(store.filesystem) is MemoryFileSystem


@pytest.mark.parametrize("path", ["", "/etc/x", "../x", "a/../../x", "a//b", "a/", "."])
def test_no_path_leads_out_of_a_store(store: Store, path: str) -> None:
    with pytest.raises(ValueError, match="path must be relative and without"):
        store.read(path)


def test_several_threads_can_use_a_store(store: Store) -> None:
    # Folders that become empty are removed while others write into them.
    def work(n: int) -> None:
        for turn in range(20):
            path = f"sessions/site=1/window={turn % 2}/part-{n}-{turn}.csv"
            publish(store, path, b"x" * n)
            assert store.read(path) == b"x" * n
            if turn != 19:
                store.remove([path])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert store.list() == [f"sessions/site=1/window=1/part-{n}-19.csv" for n in range(4)]


def test_what_other_programs_call_a_file(store: Store) -> None:
    publish(store, PART, b"data")
    address = store.address(PART)
    if store.filesystem is None:
        assert Path(address).read_bytes() == b"data"
    else:
        with store.filesystem.open(address) as file:
            assert file.read() == b"data"


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a b%ü"
    publish(open_store(folder.as_uri()), PART, b"x")
    assert (folder / PART).read_bytes() == b"x"
    assert repr(open_store(str(folder))) == f"LocalStore('{folder}')"


# --- disks that fail ---------------------------------------------------------------------------

CALLS = ["create", "make_folder", "write", "sync", "rename", "sync_folder"]


class Killed(BaseException):
    """Stands for the end of the process: no code that cleans up has an effect after it."""


def fail_at(
    patch: pytest.MonkeyPatch, name: str, error: BaseException, *, call: int, after: bool
) -> Callable[[], int]:
    """Make a call of ``disk`` fail, before or after it has had its effect."""
    real, calls = getattr(disk, name), iter(range(1_000_000))
    raised = 0

    def fail(*args: Any) -> None:
        nonlocal raised
        if next(calls) == call:
            if after:
                real(*args)
            raised += 1
            if isinstance(error, Killed):
                for other in ("remove", *CALLS):
                    patch.setattr(disk, other, end)
            raise error
        real(*args)

    def end(*_: Any) -> None:
        raise error

    patch.setattr(disk, name, fail)
    return lambda: raised


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "x"), Killed()])
@pytest.mark.parametrize("name", CALLS)
def test_whatever_fails_readers_see_the_old_file_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # it takes time, and is not looked at
    store = open_store(tmp_path)
    new = PART.replace("part-1", "part-2").replace("site=1", "site=2")

    def run() -> None:
        store.write(SMALL, b"new")
        publish(store, PART, b"new part")
        publish(store, new, b"new part")

    happened = 0
    for call in range(5):
        for after in (False, True):
            store.write(SMALL, b"old")
            publish(store, PART, b"old part")
            told = ""
            with monkeypatch.context() as patch:
                count = fail_at(patch, name, error, call=call, after=after)
                try:
                    run()
                except (ExportStoreError, Killed) as raised:
                    told = f"{raised!r} {getattr(raised, 'path', '')}"
            happened += count()
            assert bool(told) == bool(count())
            if told and not isinstance(error, Killed):
                assert "the disk is full" in told
                assert "finished parts are kept" in told
                assert told.count(store.shown) == 2
            assert store.read(SMALL) in (b"old", b"new")
            assert store.read(PART) in (b"old part", b"new part")
            assert store.read(new) in (None, b"new part")
            left = [path for path in store.list() if path not in (SMALL, PART, new)]
            assert all(path.endswith(".tmp") and "/." in path for path in left)
            assert not left or isinstance(error, Killed) or after
            store.remove([*left, new])
            assert store.list() == [SMALL, PART]
            assert not (tmp_path / new).parent.exists()
    assert happened >= 2


def test_what_has_a_name_is_on_the_disk_before_and_after_it_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, ...]] = []

    def note(name: str) -> Callable[..., None]:
        real = getattr(disk, name)

        def call(*paths: Path) -> None:
            done.append((name, *(path.name[:5] for path in paths)))
            real(*paths)

        return call

    for name in ("make_folder", "sync", "rename", "sync_folder"):
        monkeypatch.setattr(disk, name, note(name))
    publish(open_store(tmp_path), "sites/part-1", b"x")
    assert done == [
        ("make_folder", "sites"),
        ("sync_folder", tmp_path.name[:5]),
        ("sync", ".part"),
        ("rename", ".part", "part-"),
        ("sync_folder", "sites"),
    ]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EROFS, "the file system is read-only. Make it writable, or export to another"),
        (errno.EACCES, "permission is denied. Allow it, or export to another folder"),
        (errno.EDQUOT, "the disk quota is used up. Free some space"),
        (errno.EBADMSG, f"{os.strerror(errno.EBADMSG)}. Run the export again"),
    ],
)
def test_errors_of_the_system_are_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    fail_at(monkeypatch, "sync", OSError(number, os.strerror(number)), call=0, after=False)
    with pytest.raises(ExportStoreError, match=f"cannot write .*export.json: {message}"):
        open_store(tmp_path).write(SMALL, b"")


def test_files_in_the_way_are_told(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    (tmp_path / "sessions").write_bytes(b"")
    (tmp_path / SMALL).mkdir(parents=True)
    with pytest.raises(
        ExportStoreError, match=r"part-1-1\.parquet: a file has the name of a folder"
    ):
        store.new_part(PART)
    with pytest.raises(ExportStoreError, match=r"a folder has this name\. Move that folder"):
        store.write(SMALL, b"")
    with pytest.raises(ExportStoreError, match="a folder has this name"):
        store.read(SMALL)
    assert [path.name for path in tmp_path.rglob("*.tmp")] == []
    with pytest.raises(ExportStoreError, match="the name is too long"):
        open_store(tmp_path / ("x" * 300)).write(SMALL, b"")


# --- stores that fail ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "folders"])
@pytest.mark.parametrize("name", ["pipe_file", "put_file", "info", "cat_file", "find", "rm_file"])
def test_a_store_that_drops_connections_is_told_without_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    fsspec.register_implementation("folders", Folders, clobber=True)
    store = open_store(
        f"{kind}://export?token=hunter2", {"secret": "s3cr3t", "deep": {"k": "p4ss"}}
    )

    def lost(*args: Any, **options: Any) -> Any:
        raise ConnectionError("lost http://me:word@host/x?sig=abc of s3cr3t and p4ss")

    publish(store, PART, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(store.filesystem, name, lost)
        calls: list[Callable[[], Any]] = [
            *(lambda: publish(store, "new", b"x"), lambda: store.write("small", b"x")),
            *(lambda: store.read(PART), store.list, lambda: store.remove(["a"])),
        ]
        for call in calls:
            try:
                call()
            except ExportStoreError as error:
                text = f"{error} {error.path} {error.__cause__} {store!r}"
                assert f"{kind}://export" in text
                assert "ConnectionError: lost http://***@host/x?*** of *** and ***. Check" in text
                assert not any(s in text for s in ("s3cr3t", "p4ss", "hunter2", "word@", "abc"))
                break
        else:
            pytest.fail("nothing was raised")
    assert store.read(PART) == b"old"
    assert {path for path in store.list() if not path.endswith(".tmp")} <= {PART, "new", "small"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("sftp://user:word@host:22/a", "sftp://host:22/a"),
        ("sftp://user:a/b@c@host/x", "sftp://host/x"),
        ("sftp://host:22/a@b", "sftp://host:22/a@b"),
        ("https://host/a?token=x#y", "https://host/a"),
        ("memory://", "memory://"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown
    assert "word" not in redacted("for word", url, {}) or "word" not in url


# --- places that are none -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("", "to must be a folder or a URL such as 's3://bucket/folder', got ''"),
        (b"x", "to: expected str or a path"),
        (None, "to: expected str or a path"),
        (__file__, "to must be a folder or a URL, got .*test_store.py: it is a file"),
        (f"{__file__}/x", "which is a file"),
        (
            "nope://bucket/x",
            "to must be a folder or a URL that fsspec knows, got 'nope://bucket/x'",
        ),
        ("memoy://x", "did you mean 'memory'"),
        ("oci://bucket/x", "needs a package that is missing. Install ocifs"),
        ("simplecache::s3://bucket/x", "to must be a single URL, without '::'"),
        ("file://host/x", "must have three slashes"),
    ],
)
def test_a_place_that_is_none_is_refused(to: Any, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message) as told:
        open_store(to)
    assert "word@" not in str(told.value)


def test_options_are_for_urls_only(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="storage_options must be None if to is"):
        open_store(tmp_path, {"key": "x"})

    class Strict(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
        def __init__(self, *, secret: str) -> None:
            raise TypeError(f"not with {secret}")

    fsspec.register_implementation("strict", Strict, clobber=True)
    message = r"what fsspec accepts for strict://, got 'strict://x': TypeError: not with \*\*\*"
    with pytest.raises(InvalidParameterError, match=message) as told:
        open_store("strict://x", {"secret": "hunter2"})
    assert "hunter2" not in str(told.value)


def test_a_missing_package_is_told_with_the_line_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "filelock", None)
    for call in (lambda: open_store("s3://x/y"), open_store(tmp_path).lock("lock").__enter__):
        with pytest.raises(ModuleNotFoundError, match=r'pip install "rybbit_async\[export\]"'):
            call()


# --- the lock of a folder -----------------------------------------------------------------------


def test_a_folder_has_one_export_at_a_time(tmp_path: Path) -> None:
    store, other = open_store(tmp_path), open_store(tmp_path)
    with store.lock("_manifest/lock") as held:
        assert not held.lost
        with (
            pytest.raises(ExportLockedError, match=f"process {os.getpid()} on .* since 20") as told,
            other.lock("_manifest/lock"),
        ):
            pytest.fail("two at once")
        assert told.value.owner is not None
        assert told.value.place == str(tmp_path)
        assert all(path.startswith("_manifest/lock") for path in store.list())
    with other.lock("_manifest/lock"), pytest.raises(ExportLockedError):
        store.lock("_manifest/lock").__enter__()


def test_who_holds_a_lock(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert store.holder("lock") is None
    assert not list(tmp_path.iterdir())
    with open_store(tmp_path).lock("lock"):
        assert store.holder("lock") == f"process {os.getpid()} on {socket.gethostname()}"
        (tmp_path / "lock.owner").unlink()
        assert store.holder("lock") == "another process"
    assert store.holder("lock") is None
    with store.lock("lock"):
        pass


def test_a_lock_can_be_released_by_another_thread(tmp_path: Path) -> None:
    lock = open_store(tmp_path).lock("lock")
    for step in (lock.__enter__, lambda: lock.__exit__(None, None, None)):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    with open_store(tmp_path).lock("lock"):
        pass


def test_a_lock_of_which_nothing_is_known(tmp_path: Path) -> None:
    with open_store(tmp_path).lock("lock"):
        (tmp_path / "lock.owner").write_text("[]")
        with pytest.raises(ExportLockedError, match="another process has been") as told:
            open_store(tmp_path).lock("lock").__enter__()
        assert told.value.owner is None


def test_a_process_that_is_killed_holds_no_lock_and_its_parts_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import os, sys, tempfile; from rybbit_async.export.store import open_store\n"
        "tempfile.tempdir = sys.argv[1]; remote = open_store('memory://a')\n"
        "remote.new_part('part'); lock = open_store(sys.argv[1]).lock('lock')\n"
        "lock.__enter__(); print(os.getpid(), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        with pytest.raises(ExportLockedError, match=f"process {pid} on "):
            open_store(tmp_path).lock("lock").__enter__()
        ours = open_store("memory://a")
        part = ours.new_part("part")
        assert len([*tmp_path.rglob(".part.*")]) == 2  # that of a run that goes on stays
        run.kill()
    with open_store(tmp_path).lock("lock"):
        assert str(os.getpid()) in (tmp_path / "lock.owner").read_text()
    other = open_store("memory://b").new_part("part")
    # That of the killed run is gone; the last one is gone, too, with its store.
    assert [*tmp_path.rglob(".part.*")] == [part]
    assert not other.exists()
    del ours
    assert not [*tmp_path.glob("rybbit-export-*")]
