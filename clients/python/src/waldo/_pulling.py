"""Pulls what a program publishes out of iterables and generator functions, each thing when it is asked for."""

from __future__ import annotations

import asyncio
import enum
import inspect
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from waldo.errors import Closed, InvalidRequest
from waldo.reading import Box

#: How long a function goes on when nobody wants more, in seconds.
LINGER = 2.0
#: The most things that are pulled in a second without being asked for.
MAX_FPS = 240


class Patience(enum.Enum):
    """What to do while nothing is asked for."""

    #: Pull all the same.
    NONE = 0
    #: Wait; a generator that a function has made is closed after a while, and made anew when more is asked for.
    SHORT = 1
    #: Wait.
    LONG = 2


def shape_of(source: Any) -> bool:
    """Returns whether a source is async. Fails if it is none."""
    if inspect.isasyncgenfunction(source) or isinstance(source, (AsyncIterable, AsyncIterator)):
        return True
    if isinstance(source, (str, bytes, dict)) or hasattr(source, "dtype"):
        raise InvalidRequest(
            f"source: a {type(source).__name__} is one thing to publish: put it into a list, or use put"
        )
    if callable(source) or isinstance(source, Iterable):
        return False
    raise InvalidRequest(f"source: a {type(source).__name__} is neither iterable nor a generator function")


class Puller:
    """Pulls a source: one item at the beginning, and then each when it is asked for."""

    def __init__(self, asks: Box[bool], ending: threading.Event, source: Any, fps: float, patience: Patience) -> None:
        self.asks, self.ending, self.source, self.fps, self.patience = asks, ending, source, fps, patience
        self.again = callable(source) and not hasattr(source, "__iter__") and not hasattr(source, "__aiter__")
        self.first = True
        self.due = 0.0

    def idle(self) -> float | None:
        """Returns how long to wait to be asked; None for as long as it takes."""
        if self.patience is Patience.NONE:
            return 1 / (self.fps or MAX_FPS)
        return LINGER if self.again and self.patience is Patience.SHORT else None

    def pause(self) -> float:
        """Returns how long to wait for the next to be due."""
        if not self.fps:
            return 0
        now = time.monotonic()
        self.due = max(self.due + 1 / self.fps, now - 1 / self.fps)
        return max(0.0, self.due - now)


class Pull(Puller):
    """Pulls a source that is not async."""

    def __enter__(self) -> Pull:
        self.iterator: Any = None
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        iterator, self.iterator = self.iterator, None
        if iterator is not self.source or inspect.isgenerator(iterator):  # files are not ours to close
            getattr(iterator, "close", lambda: None)()

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                self._asked()
            except Closed:
                return
            if self.ending.wait(self.pause()):
                return
            if self.iterator is None:
                self.iterator = iter(self.source() if self.again else self.source)
            try:
                value = next(self.iterator)
            except StopIteration:
                return
            yield value

    def _asked(self) -> None:
        """Returns when the next is to be pulled. Fails with Closed at the end."""
        if self.first:
            self.first = False
            return
        try:
            self.asks.take(self.idle())
        except TimeoutError:
            if self.patience is not Patience.NONE:
                self.close()  # nobody watches: the function is called again when somebody does
                self.asks.take()


class AsyncPull(Puller):
    """Pulls a source that is async."""

    async def __aenter__(self) -> AsyncPull:
        self.iterator: Any = None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        iterator, self.iterator = self.iterator, None
        if inspect.isasyncgen(iterator):
            await iterator.aclose()

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            try:
                await self._asked()
            except Closed:
                return
            await asyncio.sleep(self.pause())
            if self.ending.is_set():
                return
            if self.iterator is None:
                self.iterator = aiter(self.source() if self.again else self.source)
            try:
                value = await anext(self.iterator)
            except StopAsyncIteration:
                return
            yield value

    async def _asked(self) -> None:
        if self.first:
            self.first = False
            return
        try:
            await asyncio.wait_for(self.asks.take_async(), self.idle())
        except asyncio.TimeoutError:
            if self.patience is not Patience.NONE:
                await self.aclose()
                await self.asks.take_async()
