"""Several streams as one, in the order in which things were captured."""

from __future__ import annotations

import collections
import contextlib
import heapq
import itertools
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

from waldo.errors import Closed, InvalidRequest
from waldo.events import log
from waldo.reading import Box

# How many things of one stream wait for their turn; then no more are read from it.
_WAITING = 256
# The clock of the captures is compared with this machine's over so many seconds.
_WINDOW = 30.0
# So many things in a row that go back in time are a clock that was set.
_CLOCK_SET = 5


def time_ordered(
    buffer_s: float, streams: Mapping[str, Iterable[Any]], key: Callable[[Any], float] | None = None
) -> Ordered:
    """Merges streams by capture time: yields (name, thing) pairs, the one that was captured first first, each
    `buffer_s` seconds after the fastest way from capture to here. A stream may so be `buffer_s` slower than the
    fastest, and is still in order; what comes later than that is dropped and counted in `late`.

        for name, thing in waldo.time_ordered(0.2, {"front": robot.camera("front"), "voice": robot.audio("voice")}):

    A stream is anything to loop over whose things have a `capture_time` (or `read_time`, as those of boards), in
    seconds; `key` returns it for others. All must be captured by one clock, or by clocks that agree. Whether that
    agrees with the clock of this machine does not matter: the difference is followed while it drifts, and when a clock
    is set.

    `for` and `async for` both work. The loop ends when all streams have, or with `close()`; it fails with the error of
    a stream that does. A thread for each stream reads it, at most 256 things ahead: so far a reader that is too slow
    falls behind, and so many pictures are kept. Close what is not read to its end."""
    if not 0 <= buffer_s < math.inf:
        raise InvalidRequest(f"buffer_s: {buffer_s!r} is not a number of seconds, 0 or more")
    return Ordered(buffer_s, streams, key or _captured)


def _captured(thing: Any) -> float:
    at = getattr(thing, "capture_time", None)
    return float(thing.read_time if at is None else at)


class Merger:
    """Decides what comes next, and when. Times in seconds; `now` is of this machine's monotonic clock. Not safe for
    concurrent use."""

    def __init__(self, buffer_s: float) -> None:
        self._buffer = buffer_s
        self._heap: list[tuple[float, int, str, Any]] = []
        self._count = itertools.count()
        self._ways: collections.deque[tuple[float, float]] = collections.deque()  # second, shortest way in it
        self._last = -math.inf  # capture time of what was taken last
        self._newest: dict[str, float] = {}
        self._back: collections.Counter[str] = collections.Counter()
        self.late: collections.Counter[str] = collections.Counter()

    def put(self, name: str, captured: float, thing: Any, now: float) -> bool:
        """Takes a thing; reports whether it is in time."""
        if not math.isfinite(captured):
            raise ValueError(f"{name}: {captured} is not a capture time")
        newest = self._newest.setdefault(name, captured)
        self._back[name] = self._back[name] + 1 if captured < newest - self._buffer else 0
        if self._back[name] >= _CLOCK_SET:
            self._begin_anew()
            self._newest[name] = captured
        else:
            self._newest[name] = max(newest, captured)
        if captured < self._last:
            self.late[name] += 1
            return False
        self._measure(now, now - captured)
        heapq.heappush(self._heap, (captured, next(self._count), name, thing))
        return True

    def due(self) -> float | None:
        """When the next thing is to be taken; None if there is none."""
        return self._heap[0][0] + min(way for _, way in self._ways) + self._buffer if self._heap else None

    def take(self) -> tuple[str, Any]:
        """Returns the next thing."""
        self._last, _, name, thing = heapq.heappop(self._heap)
        return name, thing

    def _measure(self, now: float, way: float) -> None:
        if self._ways and now - self._ways[-1][0] < 1:
            self._ways[-1] = self._ways[-1][0], min(self._ways[-1][1], way)
        else:
            self._ways.append((now, way))
        while now - self._ways[0][0] > _WINDOW:
            self._ways.popleft()

    def _begin_anew(self) -> None:
        """Forgets the clock that was. What waits by it comes before what follows."""
        log.info("the clock of the captures has been set back")
        early = min(self._newest.values()) - 1e6
        self._heap = [(early + i * 1e-6, n, name, thing) for i, (_, n, name, thing) in enumerate(sorted(self._heap))]
        self._last = -math.inf
        self._ways.clear()
        self._newest.clear()
        self._back.clear()


class Ordered:
    """What `time_ordered` returns: an iterator over (name, thing), for one reader."""

    def __init__(self, buffer_s: float, streams: Mapping[str, Iterable[Any]], key: Callable[[Any], float]) -> None:
        self._merger, self._key = Merger(buffer_s), key
        self._changed = threading.Condition()
        self._box: Box[tuple[str, Any]] = Box(1, newest=False)
        self._waiting: collections.Counter[str] = collections.Counter()
        self._error: BaseException | None = None
        self._closed = False
        self._iterators = {name: iter(stream) for name, stream in streams.items()}
        self._open = len(self._iterators)
        self._threads = [
            threading.Thread(target=self._read, args=(name,), name=f"waldo-ordered-{name}", daemon=True)
            for name in self._iterators
        ]
        self._threads.append(threading.Thread(target=self._merge, name="waldo-ordered", daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def late(self) -> Mapping[str, int]:
        """How many things of each stream came too late, and were dropped."""
        with self._changed:
            return dict(self._merger.late)

    def take(self, timeout: float | None = None) -> tuple[str, Any]:
        """Returns the next (name, thing), and waits for it. Fails with TimeoutError, or with Closed at the end."""
        try:
            return self._box.take(timeout)
        except Closed:
            self._raise()
            raise

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return self

    def __next__(self) -> tuple[str, Any]:
        try:
            return self.take()
        except Closed:
            raise StopIteration from None

    def __aiter__(self) -> AsyncIterator[tuple[str, Any]]:
        return self

    async def __anext__(self) -> tuple[str, Any]:
        try:
            return await self._box.take_async()
        except Closed:
            self._raise()
            raise StopAsyncIteration from None

    def close(self) -> None:
        """Ends the loop, and with it those over the streams, as far as they can be closed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._box.close()
        for iterator in self._iterators.values():
            with contextlib.suppress(ValueError):  # a generator that its thread is in ends when it yields
                getattr(iterator, "close", lambda: None)()

    def __enter__(self) -> Ordered:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _read(self, name: str) -> None:
        """Reads one stream to its end."""
        try:
            for thing in self._iterators[name]:
                if not self._put(name, self._key(thing), thing):
                    break
        except BaseException as e:
            with self._changed:
                if not self._closed and self._error is None:
                    self._error = e
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def _put(self, name: str, captured: float, thing: Any) -> bool:
        with self._changed:
            in_time = self._merger.put(name, captured, thing, time.monotonic())
            self._waiting[name] += in_time
            self._changed.notify_all()
            while self._waiting[name] >= _WAITING and not self._closed:
                self._changed.wait()
            return not self._closed

    def _merge(self) -> None:
        """Hands on what is due, until all streams have ended or one has failed."""
        while (found := self._next()) is not None and self._box.put(found):
            pass
        self._box.close()

    def _next(self) -> tuple[str, Any] | None:
        with self._changed:
            while not self._closed:
                due = self._merger.due()
                if due is None and (self._open == 0 or self._error is not None):
                    return None
                rest = None if due is None else due - time.monotonic()
                if rest is not None and rest <= 0:
                    found = self._merger.take()
                    self._waiting[found[0]] -= 1
                    self._changed.notify_all()
                    return found
                self._changed.wait(rest)
            return None
