"""Being ready, failing and closing, for everything that produces or consumes."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable, Generator
from typing import Any, Generic

from waldo._subscription import Subscription, SubscriptionClosed, T, log, running_loop
from waldo.subscriptions import CallbackSubscription, EventSubscription, QueueSubscription


def adapt(given: Any, default: Callable[[], Subscription[Any]]) -> Any:
    """Returns what elements are put into for something that somebody subscribes."""
    if given is None:
        return default()
    if isinstance(given, Subscription):
        return given
    if isinstance(given, asyncio.Queue):
        loop = running_loop()
        if loop is None:
            raise TypeError("subscribe an asyncio.Queue on its event loop, or use waldo.QueueSubscription")
        return CallbackSubscription(given.put_nowait, loop)
    if hasattr(given, "put_nowait"):
        return given
    if callable(given):
        return CallbackSubscription(given, subscription=default())
    raise TypeError(f"cannot subscribe a {type(given).__name__}: it is neither a subscription nor a function")


class _Moment(Generic[T]):
    """Something that happens once: each subscription gets its value, also one that comes late."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._value: list[T] = []
        self._waiting: list[Any] = []
        self._never: tuple[str, BaseException | None] | None = None

    def add(self, given: Any) -> Any:
        """Returns what was given or, for None, an event that can be awaited."""
        target = EventSubscription() if given is None else adapt(given, QueueSubscription)
        with self._lock:
            self._waiting.append(target)
            value, never = list(self._value), self._never
        if value:
            self.fire(value[0])
        elif never:
            self.cancel(*never)
        return target if given is None else given

    def fire(self, value: T) -> None:
        for target in self._settle(value):
            try:
                target.put_nowait(value)
            except SubscriptionClosed:
                continue
            except Exception:
                log.exception("%r raised", target)
            release(target, self, "it happens once", None)

    def rearm(self) -> None:
        """Lets it happen again, for those who come from now on."""
        with self._lock:
            self._value.clear()

    def cancel(self, reason: str, cause: BaseException | None) -> None:
        """Says that it does not happen any more."""
        with self._lock:
            self._never = (reason, cause)
            waiting, self._waiting = self._waiting, []
        for target in waiting:
            release(target, self, reason, cause)

    def _settle(self, value: T) -> list[Any]:
        with self._lock:
            self._value[:] = [value]
            waiting, self._waiting = self._waiting, []
            return waiting

    def _left(self, subscription: Any) -> None:
        """Nothing: a subscription that was closed is found out when it happens."""


def release(target: Any, source: Any, reason: str, cause: BaseException | None) -> None:
    if isinstance(target, Subscription):
        target._detached(source, reason, cause)


def _on(moment: _Moment[Any], given: Any) -> Any:
    """Adds what somebody waits with; a function is called without the value, which says nothing."""
    if given is None or hasattr(given, "put_nowait") or not callable(given):
        return moment.add(given)
    if inspect.iscoroutinefunction(given):

        async def call_async(_: Any) -> None:
            await given()

        moment.add(call_async)
    else:
        moment.add(lambda _: given())
    return given


class Lifecycle:
    """What producers and consumers have in common: being ready, failing, and closing."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._lock = threading.RLock()
        self._log = logger or log
        self._ready = self._closed = False
        self._error: BaseException | None = None
        self._on_ready: _Moment[bool] = _Moment()
        self._on_error: _Moment[BaseException] = _Moment()
        self._on_close: _Moment[None] = _Moment()

    @property
    def ready(self) -> bool:
        """Whether it works; false again when it is closed."""
        return self._ready

    @property
    def error(self) -> BaseException | None:
        """Why it was closed, if something went wrong."""
        return self._error

    @property
    def closed(self) -> bool:
        """Whether it is closed; what it had begun may still be ending: see onClose."""
        return self._closed

    def onReady(self, subscription: Any = None) -> Any:
        """Has a function called, without arguments, as soon as it is ready; without one it returns an awaitable."""
        return _on(self._on_ready, subscription)

    def onError(self, subscription: Any = None) -> Any:
        """Has a function called with the error that closes it; without one it returns an awaitable."""
        return self._on_error.add(subscription)

    def onClose(self, subscription: Any = None) -> Any:
        """Has a function called, without arguments, when all has ended; without one it returns an awaitable."""
        return _on(self._on_close, subscription)

    def close(self) -> EventSubscription[None]:
        """Ends it. What is returned may be awaited, or taken on a thread: it fires when all has ended."""
        with self._lock:
            first, self._closed = not self._closed, True
            self._ready = False
        if first:
            self._on_ready.rearm()
            self._on_ready.cancel("it was closed before it was ready", self._error)
            self._on_error.cancel("it was closed without an error", None)
            self._end()
            self._stop()
        event: EventSubscription[None] = self.onClose()
        return event

    def __await__(self) -> Generator[Any, None, None]:
        event: EventSubscription[None] = self.onClose()
        return event.get().__await__()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # For subclasses.

    def _setReady(self, value: bool) -> None:
        """Says whether it works. Functions of onReady are called when it begins to."""
        with self._lock:
            if self._closed or value == self._ready:
                return
            self._ready = value
        if value:
            self._on_ready.fire(True)
        else:
            self._on_ready.rearm()

    def _setError(self, error: BaseException) -> None:
        """Says why it does not work any more, and closes it. The first error counts."""
        with self._lock:
            if self._closed or self._error is not None:
                return
            self._error = error
        self._on_error.fire(error)
        self.close()

    def _end(self) -> None:
        """Wakes whoever waits for elements. It is called once, by close."""

    def _stop(self) -> None:
        """Ends the work, without waiting, and calls ``_finished`` when it has ended. It is called once, by close."""
        self._finished()

    def _finished(self) -> None:
        self._on_close.fire(None)
