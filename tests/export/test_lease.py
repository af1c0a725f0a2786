"""The lock of a store that has none: a lease that is renewed, and taken over when it is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from rybbit_async.export.errors import ExportLockedError, ExportStoreError
from rybbit_async.export.store.lease import LEASE, RENEW, Clock, Lease
from rybbit_async.export.store.place import RemotePlace, find_place
from rybbit_async.export.store.remote import RemoteStore

LOCK = "_manifest/lock"


class Time:
    """A clock that tests move; the thread that renews waits until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0
        self.turns = threading.Semaphore(0)
        self.waiting = threading.Semaphore(0)
        self.clock = Clock(lambda: self.seconds, lambda: self.seconds, self._wait)

    def _wait(self, stop: threading.Event, seconds: float) -> bool:
        assert seconds == RENEW
        self.waiting.release()
        while not self.turns.acquire(timeout=0.001):
            if stop.is_set():
                return True
        return stop.is_set()

    def let_renew(self) -> None:
        """Let the thread renew once, and wait until it has."""
        self.waiting.acquire()
        self.turns.release()
        self.waiting.acquire()
        self.waiting.release()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(time: Time) -> Iterator[RemoteStore]:
    yield new_store(time)
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def new_store(time: Time) -> RemoteStore:
    place = find_place("memory://export", None)
    assert isinstance(place, RemotePlace)
    return RemoteStore(place, time.clock)


def test_one_run_at_a_time(store: RemoteStore, time: Time) -> None:
    with store.lock(LOCK) as held:
        assert not held.lost
        message = "memory://export must have one export at a time: process .* has been exporting"
        with pytest.raises(ExportLockedError, match=message) as told:
            new_store(time).lock(LOCK).__enter__()
        assert "since 2023-11-14T22:13:20+00:00, and has it until 2023-11-14T22:14:20" in str(
            told.value
        )
    # Released, it can be had at once. The files of a lock begin with its name.
    with new_store(time).lock(LOCK) as held:
        assert not held.lost
    assert store.list() == [f"{LOCK}.00000001", f"{LOCK}.00000002"]


def test_who_has_a_lease(store: RemoteStore, time: Time) -> None:
    assert store.holder(LOCK) is None
    with new_store(time).lock(LOCK):
        assert (store.holder(LOCK) or "").startswith("process ")
        time.seconds += LEASE + 1
        assert store.holder(LOCK) is None
    assert store.holder(LOCK) is None


def test_a_lease_is_renewed_for_as_long_as_it_is_held(store: RemoteStore, time: Time) -> None:
    with store.lock(LOCK) as held:
        for _ in range(10):
            time.seconds += LEASE - 1
            time.let_renew()
            assert not held.lost
        time.seconds += LEASE - 1
        with pytest.raises(ExportLockedError):
            new_store(time).lock(LOCK).__enter__()
    assert not [one for one in threading.enumerate() if one.name == "rybbit-export-lease"]


def test_the_lease_of_a_killed_run_is_taken_over(store: RemoteStore, time: Time) -> None:
    killed = store.lock(LOCK)
    before = killed.__enter__()
    time.seconds += LEASE - 1
    with pytest.raises(ExportLockedError):
        new_store(time).lock(LOCK).__enter__()
    time.seconds += 1
    # From now on nobody can know whether another run has begun.
    assert before.lost
    with new_store(time).lock(LOCK) as held:
        time.let_renew()  # the first run was not killed, but had no connection for a while
        assert before.lost
        assert not held.lost
        killed.__exit__(None, None, None)
        assert not held.lost
        with pytest.raises(ExportLockedError):
            new_store(time).lock(LOCK).__enter__()


def test_a_connection_that_fails_for_a_while_does_not_lose_the_lease(
    store: RemoteStore, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> Any:
        raise ConnectionError

    with store.lock(LOCK) as held:
        with monkeypatch.context() as patch:
            patch.setattr(store.filesystem, "find", fail)
            for _ in range(3):
                time.seconds += RENEW
                time.let_renew()
        assert not held.lost
        time.let_renew()
        time.seconds += LEASE - 1
        assert not held.lost
        monkeypatch.setattr(store.filesystem, "find", fail)
        time.seconds += 1
        time.let_renew()
        assert held.lost


def test_of_two_that_take_over_at_once_one_has_it(store: RemoteStore, time: Time) -> None:
    store.write(f"{LOCK}.00000007", b"not JSON")
    stores = [new_store(time) for _ in range(4)]
    leases = [Lease(one, LOCK, time.clock) for one in stores]
    # All have seen the old lease before the first creates the next.
    seen = threading.Barrier(4)
    one_at_a_time, create = threading.Lock(), RemoteStore.create

    def create_together(self: RemoteStore, path: str, data: bytes) -> bool:
        seen.wait(10)
        with one_at_a_time:  # what S3 promises, and the store of fsspec in memory does not
            return create(self, path, data)

    got: list[Lease] = []

    def acquire(lease: Lease) -> None:
        try:
            lease.acquire()
        except ExportLockedError:
            return
        got.append(lease)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RemoteStore, "create", create_together)
        threads = [threading.Thread(target=acquire, args=[lease]) for lease in leases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    (winner,) = got
    assert store.list() == [f"{LOCK}.00000007", f"{LOCK}.00000008"]
    winner.renew()
    assert not winner.lost
    winner.release()


def test_a_store_that_overwrites_what_it_should_create(
    store: RemoteStore, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = store.filesystem.pipe_file

    def overwrite(path: str, data: bytes, mode: str = "overwrite") -> None:
        pipe(path, data)
        if mode == "create":  # another run is faster or slower
            pipe(path, data.replace(b'"token": "', b'"token": "other'))

    monkeypatch.setattr(store.filesystem, "pipe_file", overwrite)
    with pytest.raises(ExportLockedError, match="must have one export at a time"):
        store.lock(LOCK).__enter__()


def test_a_lease_that_another_run_has_overwritten_is_lost(store: RemoteStore, time: Time) -> None:
    lease = Lease(store, LOCK, time.clock)
    lease.acquire()
    store.write(f"{LOCK}.00000001", b'{"token": "x", "owner": "y", "since": 1, "until": 9e9}')
    lease.renew()
    assert lease.lost
    lease.release()
    assert b'"until": 9e9' in (store.read(f"{LOCK}.00000001") or b"")


def test_a_lease_that_cannot_be_released_runs_out(
    store: RemoteStore, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> Any:
        raise ConnectionError("lost")

    with monkeypatch.context() as patch, store.lock(LOCK):
        patch.setattr(store.filesystem, "pipe_file", fail)
        with pytest.raises(ExportStoreError, match="cannot write memory://export/x: Connection"):
            store.write("x", b"")
    with pytest.raises(ExportLockedError):
        store.lock(LOCK).__enter__()
    time.seconds += LEASE
    with store.lock(LOCK):
        pass
