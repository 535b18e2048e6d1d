"""What is read from a device, for subscriptions with RTCBot's names."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from waldo._subscription import Subscription
from waldo.errors import WaldoError
from waldo.producers import SubscriptionProducer
from waldo.reading import Reading

T = TypeVar("T")


class Subscribable(Generic[T]):
    """The part of a device's class that subscribes."""

    def __init__(self) -> None:
        self._feeding = threading.Lock()
        self._feed: Feed[T] | None = None

    @overload
    def subscribe(self, subscription: None = None) -> Subscription[T]: ...

    @overload
    def subscribe(self, subscription: Any) -> Any: ...

    def subscribe(self, subscription: Any = None) -> Any:
        """Has something get what comes from now on: a function or a coroutine function, a subscription, an
        asyncio.Queue, or anything else with `put_nowait`. Without an argument it returns a new subscription, to `get()`
        or `take()` from. See `waldo.subscriptions`."""
        return self._fed().subscribe(subscription)

    def unsubscribe(self, subscription: Any = None) -> None:
        """Ends what `subscribe` began; without an argument what `get` began."""
        self._fed().unsubscribe(subscription)

    def unsubscribeAll(self) -> None:
        """Ends what all calls of `subscribe` and `get` began."""
        self._fed().unsubscribeAll()

    async def get(self) -> T:
        """Awaits the next. All callers of `get` share one subscription."""
        return await self._fed().get()

    def _new_feed(self) -> Feed[T]:
        raise NotImplementedError

    def _fed(self) -> Feed[T]:
        with self._feeding:
            if self._feed is None:
                self._feed = self._new_feed()
            return self._feed


class Feed(SubscriptionProducer[T]):
    """A listener of a reading that hands on what it hears. It listens while there are subscriptions."""

    def __init__(
        self, reading: Reading[Any], made: Callable[[Any], T], default: Callable[[], Subscription[T]]
    ) -> None:
        super().__init__(default)
        self._reading, self._made = reading, made
        self._ear: _Ear[T] | None = None
        self._setReady(True)

    def _subscribed(self, count: int) -> None:
        ear = self._ear
        if count and ear is None:
            self._ear = _Ear(self)
            self._reading.attach(self._ear)
        elif not count and ear is not None:
            self._ear = None
            # Not here: this may be the thread that reads, or one that it waits for.
            threading.Thread(target=self._reading.detach, args=(ear,), name="waldo-unsubscribe", daemon=True).start()

    def _heard(self, ear: _Ear[T], item: Any) -> None:
        made = self._made(item) if ear is self._ear else None
        if made is not None:
            self._put_nowait(made)

    def _left_by(self, ear: _Ear[T], error: WaldoError | None) -> None:
        """The reading ends: so do the subscriptions. Later ones begin again."""
        if ear is self._ear:
            self._ear = None
            self._release_all("it has been closed" if error is None else str(error), error)


class _Ear(Generic[T]):
    """One attachment of a feed to its reading."""

    def __init__(self, feed: Feed[T]) -> None:
        self._feed = feed

    def put(self, item: Any) -> None:
        self._feed._heard(self, item)

    def close(self, error: WaldoError | None = None) -> None:
        self._feed._left_by(self, error)
