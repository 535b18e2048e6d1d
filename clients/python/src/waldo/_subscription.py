"""What all subscriptions have in common: how readers wait, on threads and on event loops, and how they end."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, Final, Generic, Protocol, TypeVar

from waldo.errors import Closed

T = TypeVar("T")

log = logging.getLogger("waldo")


class SubscriptionClosed(Closed):
    """Nothing more comes: the producer or the subscription is closed."""


class Empty:
    """The type of EMPTY."""


#: What a poll returns if nothing is there yet.
EMPTY: Final = Empty()


class Source(Protocol):
    """What a subscription has to know of a producer: that it can be left."""

    def _left(self, subscription: Any) -> None: ...


class Sparingly:
    """Logs a fault that may come with every element: the first, and then at most one in ten seconds."""

    def __init__(self, pause: float = 10.0) -> None:
        self._pause, self._due, self._kept = pause, 0.0, 0

    def log(self, text: str, *args: object) -> None:
        """Logs the exception that is being handled."""
        now = time.monotonic()
        if now < self._due:
            self._kept += 1
            return
        if self._kept:
            text += f" ({self._kept} more since the last message)"
        self._due, self._kept = now + self._pause, 0
        log.exception(text, *args)


class Subscription(Generic[T]):
    """The base of all: waiting, ending, and the ways to read. A subclass says where elements are kept."""

    def __init__(self) -> None:
        # Reentrant, because the garbage collector may end a reader while this thread holds the lock.
        self._lock = threading.RLock()
        self._watchers: dict[object, Callable[[], None]] = {}
        self._sources: list[Source] = []
        self._ended: tuple[str, BaseException | None] | None = None
        self._closed = False
        self._lost = 0

    # For producers.

    def put_nowait(self, element: T) -> None:
        """Takes one element, without waiting. Raises SubscriptionClosed if nobody can read it any more."""
        raise NotImplementedError

    def _attached(self, source: Source) -> None:
        with self._lock:
            if self._closed:
                raise SubscriptionClosed("the subscription is closed: subscribe with a new one")
            self._sources.append(source)
            self._ended = None

    def _detached(self, source: Source, reason: str, cause: BaseException | None = None) -> None:
        with self._lock:
            if source in self._sources:
                self._sources.remove(source)
            if self._sources or self._closed:
                return
            self._ended = (reason, cause)
        self._notify()

    # For readers.

    async def get(self) -> T:
        """Returns the next element, and waits for it."""
        loop = asyncio.get_running_loop()
        while True:
            woken: asyncio.Future[None] = loop.create_future()
            unwatch = self._watch(_waker(loop, woken))
            try:
                element = self._poll()
                if not isinstance(element, Empty):
                    return element
                await woken
            finally:
                unwatch()

    def take(self, timeout: float | None = None) -> T:
        """Returns the next element, and blocks the thread until there is one. Raises TimeoutError after ``timeout``
        seconds. On the thread of an event loop use ``get``."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            woken = threading.Event()
            unwatch = self._watch(woken.set)
            try:
                element = self._poll()
                if not isinstance(element, Empty):
                    return element
                if not woken.wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"nothing came within {timeout} s")
            finally:
                unwatch()

    def __await__(self) -> Generator[Any, None, T]:
        return self.get().__await__()

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                element = self.take()
            except SubscriptionClosed as end:
                if end.__cause__ is not None:
                    raise
                return
            yield element

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            try:
                element = await self.get()
            except SubscriptionClosed as end:
                if end.__cause__ is not None:
                    raise
                return
            yield element

    @property
    def lost(self) -> int:
        """How many elements the reader did not get because it was too slow."""
        return self._lost

    @property
    def closed(self) -> bool:
        """Whether nothing more comes, unless it is subscribed again."""
        return self._closed or self._ended is not None

    def close(self) -> None:
        """Unsubscribes, discards what is queued, and wakes whoever reads. It may be called more than once."""
        with self._lock:
            self._closed = True
            sources, self._sources = self._sources, []
        for source in sources:
            source._left(self)
        self._discard()
        self._notify()

    # For subclasses.

    def _poll(self) -> T | Empty:
        """Returns the next element, or EMPTY; raises SubscriptionClosed when there will be none."""
        raise NotImplementedError

    def _discard(self) -> None:
        """Forgets what is queued."""

    def _watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Has wake called, on any thread, when a poll may have another result; returns how to end that."""
        key = object()
        with self._lock:
            self._watchers[key] = wake

        def unwatch() -> None:
            with self._lock:
                self._watchers.pop(key, None)

        return unwatch

    def _notify(self) -> None:
        with self._lock:
            watchers = list(self._watchers.values())
        for wake in watchers:
            wake()

    def _check_open(self) -> None:
        """Raises if nothing more comes. The caller holds the lock."""
        if self._closed:
            raise SubscriptionClosed("the subscription is closed")
        if self._ended is not None:
            reason, cause = self._ended
            raise SubscriptionClosed(reason) from cause


def _waker(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> Callable[[], None]:
    """Returns a function that resolves a future of a loop, from any thread."""

    def resolve() -> None:
        if not future.done():
            future.set_result(None)

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(resolve)
        except RuntimeError:  # the loop is closed: nobody waits on it any more
            pass

    return wake


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Returns the event loop of this thread, or None if none runs."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
