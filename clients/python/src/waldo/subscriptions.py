"""Subscriptions: how one reader takes what a producer makes, and what it may lose when it is slow.

The names are those of RTCBot. Give one to ``subscribe``, or subscribe without one and get the producer's default:

=========================  ====================================================================================
MostRecentSubscription     one slot: the newest element, each element once. The default for pictures
QueueSubscription          the newest ``bound`` elements, in order
CallbackSubscription       calls a function with each element, off the producer's thread
EventSubscription          fires once, and then answers at once for ever
GetterSubscription         asks a function when, and only when, somebody reads
DelayedSubscription        subscribes when it is first read, so nothing old waits for the reader
RebatchSubscription        cuts arrays, for example sound, into blocks of one size
=========================  ====================================================================================

What holds for all of them:

- ``put_nowait`` may be called on any thread and never waits. A reader that is too slow loses the oldest elements; how
  many is in ``lost``. Nothing grows without a bound.
- ``await subscription.get()`` works on any event loop, ``subscription.take(timeout)`` on any thread without one.
  ``async for`` and ``for`` work too. A ``get`` that is cancelled loses nothing.
- Elements are shared by all readers, not copied: treat them as read-only.
- When the producer closes, or the subscription is unsubscribed, what is queued can still be read. After that, and at
  once for those who are waiting, reading raises :class:`SubscriptionClosed`. Its ``__cause__`` is the producer's error,
  if there was one. A subscription that is subscribed again goes on.
- ``close()`` is for the reader: it unsubscribes, discards what is queued, and is final.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waldo._subscription import EMPTY, Empty, Source, Sparingly, Subscription, SubscriptionClosed, T, log, running_loop

__all__ = [
    "BOUND",
    "CallbackSubscription",
    "DelayedSubscription",
    "EventSubscription",
    "GetterSubscription",
    "MostRecentSubscription",
    "QueueSubscription",
    "RebatchSubscription",
    "Subscription",
    "SubscriptionClosed",
]

Array = npt.NDArray[Any]

#: How many elements a queue holds unless told otherwise.
BOUND: Final = 100


class QueueSubscription(Subscription[T]):
    """Holds the newest ``bound`` elements, in order. A slow reader loses the oldest."""

    def __init__(self, bound: int = BOUND) -> None:
        super().__init__()
        if bound < 1:
            raise ValueError(f"bound is {bound}: it must be at least 1")
        self._queue: deque[T] = deque(maxlen=bound)

    def put_nowait(self, element: T) -> None:
        with self._lock:
            self._check_open()
            self._lost += len(self._queue) == self._queue.maxlen
            self._queue.append(element)
        self._notify()

    def _poll(self) -> T | Empty:
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._check_open()
            return EMPTY

    def _discard(self) -> None:
        with self._lock:
            self._queue.clear()


class MostRecentSubscription(QueueSubscription[T]):
    """Holds the newest element. Reading waits for one that has not been read yet."""

    def __init__(self) -> None:
        super().__init__(1)


class EventSubscription(Subscription[T]):
    """Fires once, with the first element it gets. From then on it answers every reader at once, also after the end."""

    def __init__(self) -> None:
        super().__init__()
        self._fired: list[T] = []

    def put_nowait(self, element: T) -> None:
        with self._lock:
            if self._closed:
                raise SubscriptionClosed("the subscription is closed")
            if not self._fired:
                self._fired.append(element)
        self._notify()

    def _poll(self) -> T | Empty:
        with self._lock:
            if self._fired:
                return self._fired[0]
            self._check_open()
            return EMPTY


class _Boxed(Subscription[T]):
    """A subscription whose elements wait in another one, the box, which decides what a slow reader loses."""

    def __init__(self, box: Subscription[T]) -> None:
        super().__init__()
        if not isinstance(box, Subscription):
            raise TypeError(f"subscription is a {type(box).__name__}: pass one of waldo.subscriptions")
        self._box = box

    @property
    def lost(self) -> int:
        return self._box.lost

    @property
    def closed(self) -> bool:
        return self._closed or self._box.closed

    def put_nowait(self, element: T) -> None:
        self._box.put_nowait(element)

    def close(self) -> None:
        super().close()
        self._box.close()

    def _attached(self, source: Source) -> None:
        super()._attached(source)
        self._box._attached(source)

    def _detached(self, source: Source, reason: str, cause: BaseException | None = None) -> None:
        super()._detached(source, reason, cause)
        self._box._detached(source, reason, cause)

    def _poll(self) -> T | Empty:
        return self._box._poll()

    def _watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        return self._box._watch(wake)


class CallbackSubscription(_Boxed[T]):
    """Calls a function, plain or async, with each element, one after the other.

    Created on an event loop (or given one), it calls on that loop; otherwise on a thread of its own. With ``runDirect``
    it calls on the producer's thread, which must not be kept waiting. Between producer and callback is
    ``subscription``, by default a queue; it decides what a slow callback loses. An exception is logged and counted in
    ``failed``, and the next element comes all the same. When the loop is closed, so is the subscription.
    """

    def __init__(
        self,
        callback: Callable[[T], Any],
        loop: asyncio.AbstractEventLoop | None = None,
        runDirect: bool = False,
        subscription: Subscription[T] | None = None,
    ) -> None:
        super().__init__(QueueSubscription() if subscription is None else subscription)
        if isinstance(subscription, (EventSubscription, GetterSubscription)):
            raise TypeError(f"elements do not queue in a {type(subscription).__name__}: pass a QueueSubscription")
        self._callback, self._direct = callback, runDirect
        self._loop = loop if loop is not None or runDirect else running_loop()
        if self._loop is None and inspect.iscoroutinefunction(callback):
            raise TypeError("an async callback needs an event loop: subscribe on one, or pass loop=")
        self._calling = False
        self._task: asyncio.Future[Any] | None = None
        self._faults = Sparingly()
        #: How many calls have raised.
        self.failed = 0

    def put_nowait(self, element: T) -> None:
        if self._direct:
            with self._lock:
                self._check_open()
            self._call(element)
            return
        self._box.put_nowait(element)
        with self._lock:
            begin, self._calling = not self._calling, True
        if begin and self._loop is None:
            threading.Thread(target=self._work, name="waldo-callback", daemon=True).start()
        elif begin and self._loop is not None:
            self._schedule(self._loop)

    async def get(self) -> T:
        raise TypeError("a callback subscription is not read: its function gets the elements")

    def take(self, timeout: float | None = None) -> T:
        raise TypeError("a callback subscription is not read: its function gets the elements")

    def _next(self) -> T | Empty:
        """Returns the next element; EMPTY if there is none, and then the next put begins anew."""
        with self._lock:
            try:
                element = self._box._poll()
            except SubscriptionClosed:
                element = EMPTY
            self._calling = not isinstance(element, Empty)
            return element

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._step, loop)
        except RuntimeError as closed:
            self.close()
            raise SubscriptionClosed("the callback's event loop is closed") from closed

    def _step(self, loop: asyncio.AbstractEventLoop) -> None:
        """Makes one call on the loop, and leaves the next to a later turn of it."""
        element = self._next()
        if isinstance(element, Empty):
            return
        result = self._call(element)
        if not inspect.isawaitable(result):
            loop.call_soon(self._step, loop)
            return
        self._task = asyncio.ensure_future(self._finish(result))
        self._task.add_done_callback(lambda task: self._finished(task, loop))

    async def _finish(self, result: Awaitable[Any]) -> None:
        try:
            await result
        except Exception:
            self._fault()

    def _finished(self, task: asyncio.Future[Any], loop: asyncio.AbstractEventLoop) -> None:
        if not task.cancelled():
            self._step(loop)
            return
        with self._lock:  # the loop is about to end: nothing is begun on it until the next element
            self._calling = False

    def _work(self) -> None:
        """Makes the calls, on a thread of its own that ends with the subscription."""
        while True:
            try:
                element = self._box.take()
            except SubscriptionClosed:
                last = self._next()  # unless it has been subscribed again
                if isinstance(last, Empty):
                    return
                element = last
            result = self._call(element)
            if inspect.iscoroutine(result):
                result.close()
                log.error("%r returned a coroutine, but was subscribed without an event loop", self._callback)
                self.failed += 1

    def _call(self, element: T) -> Any:
        try:
            return self._callback(element)
        except Exception:
            self._fault()
            return None

    def _fault(self) -> None:
        self._faults.log("the callback %r raised", self._callback)
        self.failed += 1


class GetterSubscription(Subscription[T]):
    """Asks a function, plain or async, when somebody reads, and never ahead of that. What the function raises, the
    reader gets. A plain function must answer at once. An async one runs on the loop of the reader or, for threads, on
    ``loop``: the one on which the subscription was created."""

    def __init__(self, callback: Callable[[], Any], loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__()
        self._callback = callback
        self._loop = loop or running_loop()
        self._asking: asyncio.Future[Any] | bool = False
        self._answers: deque[tuple[T | None, BaseException | None]] = deque()

    def put_nowait(self, element: T) -> None:
        raise TypeError("nothing is put into a getter subscription: it asks its function")

    def _poll(self) -> T | Empty:
        with self._lock:
            self._check_open()
            if not self._answers:
                return EMPTY
            answer, fault = self._answers.popleft()
        if fault is not None:
            raise fault
        return answer  # type: ignore[return-value]  # None only if T is

    def _watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        unwatch = super()._watch(wake)
        with self._lock:
            ask = not self._answers and not self._asks() and not self.closed
            self._asking = True if ask else self._asking
        if ask:
            self._ask()

        def leave() -> None:
            unwatch()
            with self._lock:
                alone = not self._watchers
            if alone:
                self._cancel()

        return leave

    def _asks(self) -> bool:
        """Whether an answer is under way; one on a loop that was closed never comes."""
        if isinstance(self._asking, asyncio.Future):
            return not self._asking.get_loop().is_closed()
        return self._asking

    def _ask(self) -> None:
        try:
            result = self._callback()
        except Exception as fault:
            self._answer(None, fault)
            return
        if not inspect.isawaitable(result):
            self._answer(result, None)
            return
        loop = running_loop() or self._loop
        try:
            if loop is None:
                raise TypeError("an async getter needs an event loop: create it on one, or pass loop=")
            loop.call_soon_threadsafe(self._pull, loop, result)
        except (TypeError, RuntimeError) as fault:
            if inspect.iscoroutine(result):
                result.close()
            self._answer(None, fault)

    def _pull(self, loop: asyncio.AbstractEventLoop, result: Awaitable[T]) -> None:
        task = asyncio.ensure_future(result, loop=loop)
        with self._lock:
            wanted = bool(self._watchers) and not self._closed
            self._asking = task
        task.add_done_callback(self._pulled)
        if not wanted:
            task.cancel()

    def _pulled(self, task: asyncio.Future[T]) -> None:
        if task.cancelled():
            with self._lock:
                self._asking = False
            self._notify()  # somebody may have come meanwhile: they ask again
        elif (fault := task.exception()) is not None:
            self._answer(None, fault)
        else:
            self._answer(task.result(), None)

    def _answer(self, answer: T | None, fault: BaseException | None) -> None:
        with self._lock:
            self._asking = False
            self._answers.append((answer, fault))
        self._notify()

    def _cancel(self) -> None:
        with self._lock:
            asking = self._asking
        if isinstance(asking, asyncio.Future) and not asking.done():
            try:
                asking.get_loop().call_soon_threadsafe(asking.cancel)
            except RuntimeError:  # its loop is closed
                pass

    def _discard(self) -> None:
        self._cancel()


class DelayedSubscription(_Boxed[T]):
    """Subscribes to a producer when it is first read: what was made before that is not waiting for the reader."""

    def __init__(self, SubscriptionWriter: Any, subscription: Subscription[T] | None = None) -> None:
        super().__init__(MostRecentSubscription() if subscription is None else subscription)
        self._producer = SubscriptionWriter
        #: Whether it has subscribed.
        self.begun = False

    def _poll(self) -> T | Empty:
        with self._lock:
            begin, self.begun = not self.begun and not self._closed, True
        if begin:
            self._producer.subscribe(self)
        return self._box._poll()


class RebatchSubscription(_Boxed[Array]):
    """Cuts arrays into blocks of ``samples`` along ``axis``. A block that lies within one array is a view of it and not
    a copy. When the shape or type of the arrays changes, what was left of the old ones is discarded and counted in
    ``discarded``, in samples."""

    def __init__(self, samples: int, axis: int = 0, subscription: Subscription[Array] | None = None) -> None:
        super().__init__(QueueSubscription() if subscription is None else subscription)
        if samples < 1:
            raise ValueError(f"samples is {samples}: it must be at least 1")
        self._samples, self._axis = samples, axis
        self._parts: list[Array] = []
        self._have = 0
        #: Samples that were discarded because the arrays changed.
        self.discarded = 0

    def put_nowait(self, element: Array) -> None:
        self._check(np.shape(element))
        self._box.put_nowait(np.asarray(element))

    def rest(self) -> Array | None:
        """Returns what has been read and does not fill a block, and forgets it; None if there is nothing."""
        with self._lock:
            parts, self._parts, self._have = self._parts, [], 0
        return np.concatenate(parts, self._axis) if parts else None

    def _check(self, shape: tuple[int, ...]) -> None:
        if not -len(shape) <= self._axis < len(shape):
            raise ValueError(f"an array of shape {shape} has no axis {self._axis}")

    def _poll(self) -> Array | Empty:
        with self._lock:
            while self._have < self._samples:
                part = self._box._poll()
                if isinstance(part, Empty):
                    return part
                self._add(part)
            return self._cut()

    def _add(self, part: Array) -> None:
        self._check(np.shape(part))
        if self._parts and _kind(self._parts[0], self._axis) != _kind(part, self._axis):
            self.discarded += self._have
            self._parts, self._have = [], 0
        if part.shape[self._axis] > 0:
            self._parts.append(part)
            self._have += part.shape[self._axis]

    def _cut(self) -> Array:
        whole = self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts, self._axis)
        self._have -= self._samples
        self._parts = [_slice(whole, self._axis, self._samples, None)] if self._have else []
        return _slice(whole, self._axis, 0, self._samples) if self._have else whole


def _kind(array: Array, axis: int) -> tuple[Any, ...]:
    """What two arrays must have in common to be joined."""
    shape = list(array.shape)
    del shape[axis]
    return array.dtype, shape


def _slice(array: Array, axis: int, start: int, stop: int | None) -> Array:
    where: list[Any] = [slice(None)] * array.ndim
    where[axis] = slice(start, stop)
    return array[tuple(where)]  # type: ignore[no-any-return]
