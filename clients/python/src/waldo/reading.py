"""Reading streams: one thread for each call, which reconnects, and boxes from which programs take.

A `Reading` keeps one call to a device open, and hands every message to its listeners. A `Box` is a listener from which
a loop takes. A box holds little, so what a program takes is never old: either the newest pushes out what waited
(`newest`), or the thread waits until there is room (then the device decides what a slow reader loses, and counts it).
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import grpc

from waldo import _fork
from waldo.errors import Closed, Unavailable, WaldoError, from_rpc, is_final
from waldo.events import Events, log

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

# Pauses between attempts to call again.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Listener(Protocol[T_contra]):
    """Takes what is read, on the reading thread."""

    def put(self, item: T_contra) -> object:
        """Takes the next message."""

    def close(self, error: WaldoError | None = None) -> object:
        """Says that no more will come, and why if something is wrong."""


class Call(Protocol):
    """A streaming call of grpcio."""

    def __iter__(self) -> Iterator[Any]: ...

    def cancel(self) -> bool: ...


class Box(Generic[T]):
    """A few things on the way from one thread to another, or to an event loop. What a reader loses that is slower than
    the writer:

    - `newest`: everything but the newest, as soon as more than `size` wait. With a size above 1 a reader that is late
      once loses nothing.
    - `within`: the oldest beyond `size`, and what has waited for more than so many seconds, except the newest.
    - neither: nothing; `put` waits until there is room.

    What was dropped is counted in `lost`. Safe for concurrent use."""

    def __init__(self, size: int = 1, newest: bool = True, within: float | None = None) -> None:
        self._guard = _fork.Guard()
        self._changed = threading.Condition()
        self._items: collections.deque[tuple[float, T]] = collections.deque()
        self._size, self._newest, self._within = size, newest and within is None, within
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._closed = False
        self._error: WaldoError | None = None
        self.lost = 0

    def put(self, item: T) -> bool:
        """Puts something into the box; reports whether it is still open."""
        with self._changed:
            self._make_room()
            if self._closed:
                return False
            self._items.append((time.monotonic(), item))
            self._wake()
            return True

    def _make_room(self) -> None:
        while len(self._items) >= self._size and not self._closed:
            if self._newest:
                self.lost += len(self._items)
                self._items.clear()
            elif self._within is not None:
                self.lost += 1
                self._items.popleft()
            else:
                self._changed.wait()

    def close(self, error: WaldoError | None = None) -> None:
        """Ends the box. What is in it can still be taken; then `take` fails with the error, or with Closed."""
        with self._changed:
            if not self._closed:
                self._closed, self._error = True, error
            self._wake()

    @property
    def empty(self) -> bool:
        """Whether nothing waits in it."""
        return not self._items

    @property
    def error(self) -> WaldoError | None:
        """Why the box was closed, if something is wrong."""
        return self._error

    @property
    def full(self) -> bool:
        """Whether there is no room now."""
        with self._changed:
            return len(self._items) >= self._size

    def take(self, timeout: float | None = None) -> T:
        """Returns what has waited longest, and waits for it. Fails with TimeoutError, or once the box is closed."""
        self._guard.check()
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._items:
                self._end()
                rest = None if deadline is None else deadline - time.monotonic()
                if rest is not None and rest <= 0:
                    raise TimeoutError(f"nothing came within {timeout:g} s")
                self._changed.wait(rest)
            return self._pop()

    async def take_async(self) -> T:
        """Is `take` for an event loop; the wait can be cancelled."""
        self._guard.check()
        while True:
            with self._changed:
                if self._items:
                    return self._pop()
                self._end()
                loop = asyncio.get_running_loop()
                waiter: asyncio.Future[None] = loop.create_future()
                entry = (loop, waiter)
                self._waiters.append(entry)
            try:
                await waiter
            finally:
                with self._changed:
                    if entry in self._waiters:
                        self._waiters.remove(entry)

    def _pop(self) -> T:
        if self._within is not None:
            oldest = time.monotonic() - self._within
            while len(self._items) > 1 and self._items[0][0] < oldest:
                self.lost += 1
                self._items.popleft()
        _, item = self._items.popleft()
        self._changed.notify_all()
        return item

    def _end(self) -> None:
        if self._closed:
            raise self._error or Closed("closed")

    def _wake(self) -> None:
        self._changed.notify_all()
        for loop, waiter in self._waiters:
            with contextlib.suppress(RuntimeError):  # a loop that was closed while somebody waited on it
                loop.call_soon_threadsafe(_done, waiter)
        self._waiters.clear()


def _done(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Reading(Generic[T]):
    """Keeps a streaming call open while it has listeners. What breaks is called again, for ever; only what trying again
    cannot change ends the reading: a request that the device refuses, or a device that has never been there. One whose
    hardware is away is there.

    Source and what are for people: "front", "pictures". `begin` starts a call, `convert` makes of each response what
    listeners get, or None."""

    def __init__(
        self,
        events: Events,
        source: str,
        what: str,
        begin: Callable[[], Call],
        convert: Callable[[Any], T | None],
    ) -> None:
        self._events, self._source, self._what = events, source, what
        self._begin, self._convert = begin, convert
        #: Waits for a device that has not been there yet, until the event is set, and returns whether its hardware is
        #: away. `Robot.adopt` sets it.
        self.prepare: Callable[[threading.Event], bool] | None = None
        #: For how many seconds the first call is tried again, unless the hardware is away. `Robot.adopt` sets it.
        self.patience = 0.0
        self._lock = threading.RLock()  # a loop that is forgotten may end in the middle of anything
        self._listeners: list[Listener[T]] = []
        self._thread: threading.Thread | None = None
        self._run: _Run | None = None
        self._seen = self._away = False
        #: "idle", "connecting", "live", "waiting", "failed".
        self.state = "idle"

    def attach(self, listener: Listener[T]) -> None:
        """Adds a listener; the first one starts the call."""
        with self._lock:
            self._listeners.append(listener)
            if self._run is None:
                self._run = _Run()
                self.state = "connecting"
                name = f"waldo-{self._source}-{self._what}"
                self._thread = threading.Thread(target=self._keep, args=(self._run,), name=name, daemon=True)
                self._thread.start()

    def detach(self, listener: Listener[T], wait: bool = True) -> None:
        """Removes a listener and closes it; with the last one the call ends, and so does its thread, which is waited
        for if it should be."""
        listener.close()
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
            run, thread = self._run, self._thread
            if self._listeners or run is None:
                return
            self._run, self._thread, self.state = None, None, "idle"
        run.stop()
        if wait and thread is not None and thread is not threading.current_thread():
            thread.join(5)  # a listener's callback may be what it waits for

    def close(self) -> None:
        """Removes all listeners."""
        for listener in self._snapshot():
            self.detach(listener)

    def wake(self) -> None:
        """Tries again now, if it is waiting to: something has changed."""
        run = self._run
        if run is not None:
            run.wake.set()

    def _snapshot(self) -> list[Listener[T]]:
        with self._lock:
            return list(self._listeners)

    def _keep(self, run: _Run) -> None:
        pause, lost, begun = _FIRST_PAUSE, 0.0, time.monotonic()
        while not run.stopped:
            run.wake.clear()
            error = self._read(run, lost)
            if run.stopped:
                return
            if self._away:
                begun = time.monotonic()
            hopeless = not self._seen and time.monotonic() - begun >= self.patience
            if error is not None and (is_final(error) or hopeless or isinstance(error, Closed)):
                self._fail(run, error)
                return
            if run.got:
                pause, run.got, lost = _FIRST_PAUSE, False, time.monotonic()
                self.state = "waiting"
                self._events.emit(self._source, "lost", f"lost its {self._what}, trying again: {error or 'it stopped'}")
            run.wake.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _read(self, run: _Run, lost: float) -> WaldoError | None:
        """Makes one call and reads it to its end; returns why it has ended."""
        try:
            if self.prepare is not None and not self._seen:
                self._away = self.prepare(run.stopping)
            for response in run.begin(self._begin):
                item = self._convert(response)
                if item is not None:
                    self._got(run, lost)
                    self._deliver(item)
                if run.stopped:
                    break
            return None
        except grpc.RpcError as e:
            return from_rpc(e, self._source)
        except WaldoError as e:
            return e
        except Exception as e:  # a message that nobody has foreseen must not end in silence
            log.exception("reading the %s of %s failed", self._what, self._source)
            error = WaldoError(f"{self._source}: {e}")
            self._fail(run, error)
            return error

    def _got(self, run: _Run, lost: float) -> None:
        if run.got:
            return
        run.got = self._seen = True
        self.state = "live"
        if lost:
            self._events.emit(self._source, "reading", f"{self._what} again after {time.monotonic() - lost:.1f} s")

    def _deliver(self, item: T) -> None:
        for listener in self._snapshot():
            try:
                listener.put(item)
            except Exception as e:
                log.exception("a listener of the %s of %s failed, and gets no more", self._what, self._source)
                with self._lock:
                    if listener in self._listeners:
                        self._listeners.remove(listener)
                listener.close(WaldoError(f"{self._source}: a listener failed: {e}"))

    def _fail(self, run: _Run, error: WaldoError) -> None:
        with self._lock:
            if self._run is not run:
                return
            listeners, self._listeners = self._listeners, []
            self._run, self._thread, self.state = None, None, "failed"
        run.stop()
        self._events.emit(self._source, "failed", str(error))
        for listener in listeners:
            listener.close(error)


class _Run:
    """One life of a reading's thread."""

    def __init__(self) -> None:
        self.wake = threading.Event()
        self.stopping = threading.Event()
        self.got = False  # anything in the present call
        self._lock = threading.RLock()
        self._call: Call | None = None

    @property
    def stopped(self) -> bool:
        return self.stopping.is_set()

    def begin(self, begin: Callable[[], Call]) -> Call:
        try:
            call = begin()
        except ValueError as e:  # so grpcio says of a channel that was closed meanwhile
            raise Unavailable(str(e)) from None
        with self._lock:
            self._call = call
            if self.stopped:
                call.cancel()
        return call

    def stop(self) -> None:
        with self._lock:
            self.stopping.set()
            if self._call is not None:
                self._call.cancel()
        self.wake.set()


class Loop(Generic[T]):
    """What `for` and `async for` run over. It ends when what it reads from is closed, and fails with what is wrong if
    something is; `close` ends it, and so does forgetting it. Take makes what is returned of what is read and of how
    much was lost before; if it returns None, that is lost, too."""

    def __init__(self, reading: Reading[T], box: Box[T], take: Callable[[T, int], Any] | None = None) -> None:
        self._reading, self._box, self._take = reading, box, take
        self._open = True
        reading.attach(box)

    def take(self, timeout: float | None = None) -> Any:
        """Returns the next, and waits for it; see `Box.take`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            made = self._made(self._box.take(None if deadline is None else max(0.0, deadline - time.monotonic())))
            if made is not None:
                return made

    def _made(self, item: T) -> Any:
        if self._take is None:
            return item
        made = self._take(item, self._box.lost)
        if made is None:
            self._box.lost += 1
        return made

    def __iter__(self) -> Loop[T]:
        return self

    def __next__(self) -> Any:
        try:
            return self.take()
        except Closed:
            self.close()
            raise StopIteration from None

    def __aiter__(self) -> Loop[T]:
        return self

    async def __anext__(self) -> Any:
        try:
            while True:
                made = self._made(await self._box.take_async())
                if made is not None:
                    return made
        except Closed:
            self.close()
            raise StopAsyncIteration from None

    def close(self) -> None:
        """Ends the loop; may be called from any thread."""
        if self._open:
            self._open = False
            self._reading.detach(self._box)

    def __del__(self) -> None:
        if getattr(self, "_open", False):
            self._reading.detach(self._box, wait=False)

    def __enter__(self) -> Loop[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
