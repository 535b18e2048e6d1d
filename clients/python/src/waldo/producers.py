"""Producers hand elements to subscriptions, consumers take them from one. The names are those of RTCBot.

A producer of one's own calls ``_put_nowait(element)``, on any thread; it never waits and never raises::

    class Thermometer(waldo.SubscriptionProducer[float]):
        def measured(self, celsius: float) -> None:
            self._setReady(True)
            self._put_nowait(celsius)

A consumer of one's own takes with ``await self._get()`` or, on a thread, ``self._take()``. For work that blocks, and
for work in a process of its own, write a function instead: see :mod:`waldo.background`.

Every reader of a producer has a subscription (see :mod:`waldo.subscriptions`), so a reader that is slow, raises or is
gone costs nobody else anything. After ``close()``, or an error, readers get what is queued and then
:class:`~waldo.subscriptions.SubscriptionClosed`: nobody waits for ever.

``onReady``, ``onError`` and ``onClose`` take a function or a coroutine function, or nothing; then they return something
to await, or to ``take()`` on a thread. Each fires once, at once if it is late. What can no longer happen, because the
object was closed, raises SubscriptionClosed where it is awaited. ``await x`` waits until ``x`` is closed.

``close()`` may be called from anywhere, more than once. What it returns may be awaited: it fires when everything has
ended.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, TypeVar

from waldo._lifecycle import Lifecycle, adapt, release
from waldo._subscription import EMPTY, Empty, Sparingly, Subscription, SubscriptionClosed, T
from waldo.subscriptions import DelayedSubscription, GetterSubscription, MostRecentSubscription, QueueSubscription

__all__ = ["Lifecycle", "SubscriptionConsumer", "SubscriptionProducer", "SubscriptionProducerConsumer"]

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741


class SubscriptionProducer(Lifecycle, Generic[O]):
    """Hands what is put into it to everybody who has subscribed. With ``defaultAutosubscribe``, what is put before the
    first ``get`` waits for it."""

    def __init__(
        self,
        defaultSubscriptionClass: Callable[[], Subscription[O]] = MostRecentSubscription,
        defaultAutosubscribe: bool = False,
        logger: logging.Logger | None = None,
    ) -> None:
        super().__init__(logger)
        self._default_type = defaultSubscriptionClass
        self._default: Subscription[O] | None = None
        # Pairs of what was given and what elements are put into. Replaced, never changed, so it is walked unlocked.
        self._subscribers: tuple[tuple[Any, Any], ...] = ()
        self._faults = Sparingly()
        self._telling = threading.RLock()
        self._told = 0
        if defaultAutosubscribe:
            self._own()

    def subscribe(self, subscription: Any = None) -> Any:
        """Adds a reader, and returns what was given or, without it, a subscription of the default type.

        What may be given: a subscription; a function or coroutine function (see
        :class:`~waldo.subscriptions.CallbackSubscription`); an asyncio.Queue, on its event loop; or anything else with
        ``put_nowait``, such as a consumer."""
        if self._find(subscription) is not None:
            return subscription
        target = adapt(subscription, self._default_type)
        given = target if subscription is None else subscription
        if isinstance(target, Subscription):
            target._attached(self)
        with self._lock:
            closed = self._closed
            if not closed:
                self._subscribers += ((given, target),)
        if closed:
            release(target, self, *self._why())
        self._tell()
        return given

    def unsubscribe(self, subscription: Any = None) -> None:
        """Removes a reader; without an argument the one of ``get``, if there is one. KeyError: it is unknown."""
        if subscription is None:
            with self._telling:
                subscription, self._default = self._default, None
            if subscription is None or subscription.closed:
                return
        target = self._find(subscription)
        if target is not None:
            self._remove(target)
            release(target, self, "it was unsubscribed", None)
        elif isinstance(subscription, DelayedSubscription) and not subscription.begun:
            subscription.close()
        else:
            raise KeyError(f"{subscription!r} is not subscribed")

    def unsubscribeAll(self) -> None:
        """Removes all readers."""
        self._release_all("it was unsubscribed", None)

    async def get(self) -> O:
        """Returns the next element for callers of get and take, who share one subscription of the default type."""
        return await self._own().get()

    def take(self, timeout: float | None = None) -> O:
        """Like get, for threads: blocks until there is an element. Raises TimeoutError after ``timeout`` seconds."""
        return self._own().take(timeout)

    def __iter__(self) -> Iterator[O]:
        return iter(self._own())

    def __aiter__(self) -> AsyncIterator[O]:
        return self._own().__aiter__()

    # For subclasses.

    def _put_nowait(self, element: O) -> None:
        """Hands an element to all readers, on any thread, without waiting."""
        for _, target in self._subscribers:
            try:
                target.put_nowait(element)
            except SubscriptionClosed:
                self._remove(target)
            except Exception:
                self._faults.log("%r did not take an element", target)

    def _subscribed(self, count: int) -> None:
        """Called with the number of readers whenever it has changed, one call at a time."""

    def _own(self) -> Subscription[O]:
        with self._telling:
            if self._default is None or self._default.closed and not self._closed:
                self._default = self.subscribe()
            mine: Subscription[O] = self._default
            return mine

    def _find(self, subscription: Any) -> Any:
        """Returns what elements are put into for what was given to subscribe; None if it is not subscribed."""
        for given, target in self._subscribers:
            if given is subscription or callable(given) and given == subscription:  # a method is a new object each time
                return target
        return None

    def _why(self) -> tuple[str, BaseException | None]:
        return f"the {type(self).__name__} is closed", self._error

    def _end(self) -> None:
        super()._end()
        self._release_all(*self._why())

    def _release_all(self, reason: str, cause: BaseException | None) -> None:
        with self._lock:
            subscribers, self._subscribers = self._subscribers, ()
            if not self._closed:
                self._default = None
        for _, target in subscribers:
            release(target, self, reason, cause)
        self._tell()

    def _remove(self, target: Any) -> None:
        with self._lock:
            self._subscribers = tuple(pair for pair in self._subscribers if pair[1] is not target)
        self._tell()

    def _left(self, subscription: Any) -> None:
        self._remove(subscription)

    def _tell(self) -> None:
        with self._telling:
            count = len(self._subscribers)
            if count != self._told:
                self._told = count
                self._subscribed(count)


class _Inputs(Subscription[T]):
    """Reads from one subscription at a time, which may be replaced while somebody waits."""

    def __init__(self, direct: Callable[[], Subscription[T]]) -> None:
        super().__init__()
        self._direct = direct
        self._from: Subscription[T] = direct()
        #: What was given to switch; None while elements are put directly.
        self.given: Any = None
        self._faults = Sparingly()
        self._before = 0  # what it had lost when it became the source
        self._pause, self._resting = 0.0, False

    @property
    def lost(self) -> int:
        return self._lost + self._from.lost - self._before

    def put_nowait(self, element: T) -> None:
        with self._lock:
            self._check_open()
            if self.given is not None:
                self._replace(self._direct(), None)
            self._from.put_nowait(element)
        self._notify()

    def switch(self, given: Any) -> None:
        """Reads from something else from now on, or, for None, from what is put."""
        source = self._direct() if given is None else _source(given)
        with self._lock:
            self._check_open()
            self._replace(source, given)
        self._notify()

    def _replace(self, source: Subscription[T], given: Any) -> None:
        old, was = self._from, self.given
        self._lost += old.lost - self._before
        self._from, self.given, self._before = source, given, source.lost
        self._pause, self._resting = 0.0, False
        if was is None or old is not was:
            old.close()  # it is ours

    def _poll(self) -> T | Empty:
        with self._lock:
            self._check_open()
            try:
                element = self._from._poll()
            except SubscriptionClosed:
                if self.given is not None:
                    self._replace(self._direct(), None)  # it has ended: now what is put counts
                return EMPTY
            except Exception:
                self._rest()
                return EMPTY
            if not isinstance(element, Empty):
                self._pause = 0.0
            return element

    def _rest(self) -> None:
        """Has a source that raised asked again after a pause that grows from 0.1 s to 5 s."""
        self._faults.log("%r raised, and is asked again", self.given)
        self._pause, self._resting = min(max(0.1, 2 * self._pause), 5.0), True
        timer = threading.Timer(self._pause, self._rested)
        timer.daemon = True
        timer.start()

    def _rested(self) -> None:
        self._resting = False
        self._notify()

    def _watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        unwatch = super()._watch(wake)
        with self._lock:
            source, resting = self._from, self._resting
        leave = None if resting else source._watch(wake)

        def both() -> None:
            unwatch()
            if leave is not None:
                leave()

        return both

    def _discard(self) -> None:
        with self._lock:
            if self.given is None or self._from is not self.given:
                self._from.close()


def _source(given: Any) -> Subscription[Any]:
    """Returns a subscription that reads from what somebody puts as the source of a consumer."""
    if isinstance(given, Subscription):
        return given
    if callable(getattr(given, "subscribe", None)):  # a producer, or a camera
        own = given.subscribe()
        if isinstance(own, Subscription):
            return own
        given.unsubscribe(own)  # RTCBot's, which is read on its loop
    get = getattr(given, "get", given)
    if inspect.iscoroutinefunction(get) or (get is given and callable(given)):
        return GetterSubscription(get)
    raise TypeError(f"cannot read from a {type(given).__name__}: it needs an async get, or must be a function")


class SubscriptionConsumer(Lifecycle, Generic[I]):
    """Takes elements from a subscription, or from whoever puts them directly; the last of both calls counts."""

    def __init__(
        self,
        directPutSubscriptionType: Callable[[], Subscription[I]] = QueueSubscription,
        logger: logging.Logger | None = None,
    ) -> None:
        super().__init__(logger)
        self._inputs: _Inputs[I] = _Inputs(directPutSubscriptionType)

    def put_nowait(self, element: I) -> None:
        """Puts one element, without waiting. A subscription that was put is left. Raises SubscriptionClosed after
        close."""
        self._inputs.put_nowait(element)

    def putSubscription(self, subscription: Any) -> None:
        """Has elements taken from a subscription, a producer, anything with an async ``get``, or a function that is
        asked for each. What was put directly and not taken yet is dropped. A source that raises is asked again, after
        a pause that grows to 5 s. When it ends, the consumer waits for what is put next."""
        if subscription is None:
            raise TypeError("putSubscription needs a subscription; stopSubscription leaves the one that there is")
        self._inputs.switch(subscription)

    def stopSubscription(self) -> None:
        """Leaves the subscription that was put, if there is one."""
        if self._inputs.given is not None:
            self._inputs.switch(None)

    @property
    def subscription(self) -> Any:
        """What was given to putSubscription; None while elements are put directly."""
        return self._inputs.given

    @property
    def lost(self) -> int:
        """How many inputs were lost because they were not taken in time."""
        return self._inputs.lost

    # For subclasses.

    async def _get(self) -> I:
        """Returns the next element; raises SubscriptionClosed after close."""
        return await self._inputs.get()

    def _take(self, timeout: float | None = None) -> I:
        """Like _get, for threads."""
        return self._inputs.take(timeout)

    def _end(self) -> None:
        super()._end()
        self._inputs.close()


class SubscriptionProducerConsumer(SubscriptionConsumer[I], SubscriptionProducer[O], Generic[I, O]):
    """Both: takes elements of one kind and makes those of another."""

    def __init__(
        self,
        directPutSubscriptionType: Callable[[], Subscription[I]] = QueueSubscription,
        defaultSubscriptionType: Callable[[], Subscription[O]] = MostRecentSubscription,
        logger: logging.Logger | None = None,
        defaultAutosubscribe: bool = False,
    ) -> None:
        SubscriptionProducer.__init__(self, defaultSubscriptionType, defaultAutosubscribe, logger)
        self._inputs = _Inputs(directPutSubscriptionType)
