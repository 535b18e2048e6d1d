"""Producers and consumers: what RTCBot's own tests ask for, and what its own are broken in."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from waldo.producers import SubscriptionConsumer, SubscriptionProducer, SubscriptionProducerConsumer
from waldo.subscriptions import (
    CallbackSubscription,
    MostRecentSubscription,
    QueueSubscription,
    SubscriptionClosed,
)

#: How long to wait for what happens at once unless something is broken.
SOON = 20.0


class TestProducer:
    """SubscriptionProducer."""

    def test_subscribing_by_itself_keeps_what_came_before_the_first_get(self) -> None:
        async def main() -> None:
            producer: SubscriptionProducer[int] = SubscriptionProducer(QueueSubscription, defaultAutosubscribe=True)
            producer._put_nowait(1)
            producer._put_nowait(2)
            assert [await producer.get(), producer.take(0)] == [1, 2]
            await producer.close()

        asyncio.run(main())

    def test_fan_out_unsubscribe_and_a_new_default(self) -> None:
        async def main() -> None:
            producer: SubscriptionProducer[Any] = SubscriptionProducer(QueueSubscription, True)
            one, two = producer.subscribe(), producer.subscribe()
            shared = object()
            producer._put_nowait(shared)
            assert await one is shared and await two is shared and await producer.get() is shared
            producer.unsubscribe(one)
            producer._put_nowait(2)
            assert await two == 2 == await producer.get()
            with pytest.raises(SubscriptionClosed):
                await one
            producer.unsubscribe()
            producer.unsubscribe()  # twice does no harm
            producer._put_nowait(3)  # missed by the default, which is made again by the next get
            waiting = asyncio.ensure_future(producer.get())
            await asyncio.sleep(0)
            producer._put_nowait(4)
            assert await asyncio.wait_for(waiting, SOON) == 4
            assert [await two, await two] == [3, 4]
            producer.unsubscribeAll()
            producer._put_nowait(5)
            with pytest.raises(SubscriptionClosed):
                await two
            await producer.close()
            await producer

        asyncio.run(main())

    @pytest.mark.parametrize("way", ["function", "method", "coroutine function", "asyncio.Queue", "queue", "consumer"])
    def test_what_can_be_subscribed(self, way: str) -> None:
        class Sink:
            def take(self, x: int) -> None:
                got.put_nowait(x)

        got: QueueSubscription[int] = QueueSubscription()

        async def main() -> None:
            async def slow(x: int) -> None:
                await asyncio.sleep(0)
                got.put_nowait(x)

            theirs, plain, sink = asyncio.Queue[int](), queue.Queue[int](), Sink()
            consumer: SubscriptionConsumer[int] = SubscriptionConsumer()
            given = {
                "function": lambda x: got.put_nowait(x),
                "method": sink.take,
                "coroutine function": slow,
                "asyncio.Queue": theirs,
                "queue": plain,
                "consumer": consumer,
            }[way]
            producer: SubscriptionProducer[int] = SubscriptionProducer()
            assert producer.subscribe(given) is given
            assert producer.subscribe(given) is given  # once is enough
            await asyncio.to_thread(producer._put_nowait, 7)
            readers: dict[str, Callable[[], Awaitable[Any]]] = {
                "asyncio.Queue": lambda: asyncio.wait_for(theirs.get(), SOON),
                "queue": lambda: asyncio.to_thread(plain.get, True, SOON),
                "consumer": lambda: asyncio.to_thread(consumer._take, SOON),
            }
            read: Callable[[], Awaitable[Any]] = readers.get(way, lambda: asyncio.wait_for(got.get(), SOON))
            assert await read() == 7
            producer.unsubscribe(sink.take if way == "method" else given)
            producer._put_nowait(8)
            producer._put_nowait(9)
            assert not producer._subscribers and not got._queue

        asyncio.run(main())

    @pytest.mark.parametrize("bad", [5, "text", object()])
    def test_what_cannot_be_subscribed(self, bad: Any) -> None:
        producer: SubscriptionProducer[int] = SubscriptionProducer()
        with pytest.raises(TypeError, match="neither a subscription nor a function"):
            producer.subscribe(bad)
        with pytest.raises(TypeError, match="on its event loop"):
            producer.subscribe(asyncio.Queue())
        with pytest.raises(KeyError, match="is not subscribed"):
            producer.unsubscribe(bad)

    def test_one_that_raises_takes_nothing_from_the_others(self) -> None:
        class Bad:
            def put_nowait(self, element: int) -> None:
                raise OSError

        producer: SubscriptionProducer[int] = SubscriptionProducer()
        full: queue.Queue[int] = queue.Queue(1)
        for bad in [Bad(), lambda x: 1 // 0, CallbackSubscription(lambda x: 1 // 0, runDirect=True), full]:
            producer.subscribe(bad)
        good = producer.subscribe(QueueSubscription())
        for i in range(3):
            producer._put_nowait(i)
        assert [good.take(0) for _ in range(3)] == [0, 1, 2] and full.get_nowait() == 0
        assert len(producer._subscribers) == 5
        producer.close()

    def test_a_closed_loop_costs_its_own_readers_only(self) -> None:
        producer: SubscriptionProducer[int] = SubscriptionProducer()

        async def leave() -> None:
            producer.subscribe(print)
            producer.subscribe(asyncio.Queue())

        asyncio.run(leave())
        stays = producer.subscribe()
        producer._put_nowait(1)
        assert stays.take(0) == 1
        assert len(producer._subscribers) == 1

    def test_readers_are_told_of(self) -> None:
        counts: list[int] = []

        class Counting(SubscriptionProducer[int]):
            def _subscribed(self, count: int) -> None:
                counts.append(count)

        producer = Counting()
        one, _ = producer.subscribe(), producer.subscribe()
        one.close()
        producer.close()
        assert counts == [1, 2, 1, 0]
        late = producer.subscribe()
        with pytest.raises(SubscriptionClosed, match="Counting is closed"):
            late.take(SOON)
        with pytest.raises(SubscriptionClosed):
            producer.take(SOON)

    def test_producing_while_readers_come_and_go(self) -> None:
        producer: SubscriptionProducer[int] = SubscriptionProducer()
        stays = producer.subscribe(QueueSubscription(4000))

        def come_and_go() -> None:
            for _ in range(200):
                mine = producer.subscribe()
                producer.unsubscribe(mine)
                producer.subscribe().close()

        def produce() -> None:
            for i in range(1000):
                producer._put_nowait(i)

        threads = [threading.Thread(target=come_and_go) for _ in range(3)]
        threads += [threading.Thread(target=produce) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SOON)
        assert len(stays._queue) == 2000 and len(producer._subscribers) == 1


class TestConsumer:
    """SubscriptionConsumer."""

    def test_the_last_of_put_and_put_subscription_counts(self) -> None:
        async def main() -> None:
            consumer: SubscriptionConsumer[Any] = SubscriptionConsumer()
            consumer.put_nowait("direct")
            assert await consumer._get() == "direct" and consumer.subscription is None
            theirs: asyncio.Queue[str] = asyncio.Queue()
            consumer.put_nowait("dropped")
            consumer.putSubscription(theirs)
            theirs.put_nowait("theirs")
            assert await consumer._get() == "theirs" and consumer.subscription is theirs
            pending = asyncio.ensure_future(consumer._get())
            await asyncio.sleep(0.01)
            consumer.put_nowait("wins")
            assert await asyncio.wait_for(pending, SOON) == "wins" and consumer.subscription is None
            theirs.put_nowait("left")
            pending = asyncio.ensure_future(consumer._get())
            await asyncio.sleep(0.01)
            assert not pending.done()
            ours: QueueSubscription[str] = QueueSubscription()
            ours.put_nowait("ours")
            consumer.putSubscription(ours)  # switches while a get is pending
            assert await asyncio.wait_for(pending, SOON) == "ours"
            await consumer.close()
            assert not ours.closed, "it is the caller's"

        asyncio.run(main())

    def test_from_a_producer_of_another_library(self) -> None:
        """RTCBot's subscribe returns an asyncio.Queue."""

        class Theirs:
            def __init__(self) -> None:
                self.queues: list[asyncio.Queue[int]] = []

            def subscribe(self) -> asyncio.Queue[int]:
                self.queues.append(asyncio.Queue())
                return self.queues[-1]

            def unsubscribe(self, queue: asyncio.Queue[int]) -> None:
                self.queues.remove(queue)

            async def get(self) -> int:
                return 5

        async def main() -> None:
            theirs = Theirs()
            consumer: SubscriptionConsumer[int] = SubscriptionConsumer()
            consumer.putSubscription(theirs)
            assert await asyncio.wait_for(consumer._get(), SOON) == 5 and not theirs.queues

        asyncio.run(main())

    def test_from_a_producer_and_back(self) -> None:
        producer: SubscriptionProducer[int] = SubscriptionProducer()
        consumer: SubscriptionConsumer[int] = SubscriptionConsumer()
        consumer.putSubscription(producer)
        producer._put_nowait(1)
        assert consumer._take(SOON) == 1
        consumer.stopSubscription()
        assert not producer._subscribers and consumer.subscription is None
        consumer.stopSubscription()
        consumer.putSubscription(producer)
        consumer.close()
        assert not producer._subscribers
        with pytest.raises(SubscriptionClosed):
            consumer.put_nowait(1)

    def test_a_source_that_raises_is_asked_again(self) -> None:
        answers: list[Any] = [OSError("not yet"), OSError("not yet"), 5]

        def answer() -> Any:
            value = answers.pop(0)
            if isinstance(value, Exception):
                raise value
            return value

        consumer: SubscriptionConsumer[int] = SubscriptionConsumer()
        consumer.putSubscription(answer)
        assert consumer._take(SOON) == 5

    def test_a_source_that_ends_leaves_the_consumer_open(self) -> None:
        source: QueueSubscription[int] = QueueSubscription()
        consumer: SubscriptionConsumer[int] = SubscriptionConsumer()
        consumer.putSubscription(source)
        source.close()
        with pytest.raises(TimeoutError):
            consumer._take(0)
        consumer.put_nowait(3)
        assert consumer._take(SOON) == 3 and consumer.subscription is None

    @pytest.mark.parametrize("bad", [5, queue.Queue(), None])
    def test_what_cannot_be_read_from(self, bad: Any) -> None:
        with pytest.raises(TypeError, match="cannot read from|needs a subscription"):
            SubscriptionConsumer[Any]().putSubscription(bad)

    def test_close_wakes_those_who_wait(self) -> None:
        async def main() -> None:
            consumer: SubscriptionConsumer[int] = SubscriptionConsumer()
            waiting = [asyncio.ensure_future(consumer._get()), asyncio.ensure_future(asyncio.to_thread(consumer._take))]
            while len(consumer._inputs._watchers) < 2:
                await asyncio.sleep(0.001)
            await consumer.close()
            for end in await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), SOON):
                assert isinstance(end, SubscriptionClosed)

        asyncio.run(main())

    def test_lost_counts_over_all_sources(self) -> None:
        consumer: SubscriptionConsumer[int] = SubscriptionConsumer(MostRecentSubscription)
        consumer.put_nowait(1)
        consumer.put_nowait(2)
        source: QueueSubscription[int] = QueueSubscription(1)
        for i in range(10):
            source.put_nowait(i)  # what it loses before is not the consumer's
        for want in [1, 2]:
            consumer.putSubscription(source)
            source.put_nowait(1)
            assert consumer.lost == want + 1
            consumer.stopSubscription()
        consumer.put_nowait(3)
        consumer.put_nowait(4)
        assert consumer.lost == 4


class TestLifecycle:
    """ready, error and close."""

    def test_ready_is_told_once_also_to_those_who_come_late(self) -> None:
        """RTCBot's tells it again at the end, and never to those who come late."""
        told: QueueSubscription[str] = QueueSubscription()
        producer: SubscriptionProducer[int] = SubscriptionProducer()
        producer.onReady(lambda: told.put_nowait("early"))
        early = producer.onReady()
        producer._setReady(True)
        producer._setReady(True)
        assert told.take(SOON) == "early" and producer.ready
        producer.onReady(lambda: told.put_nowait("late"))
        assert told.take(SOON) == "late"
        early.take(0)
        asyncio.run(_awaited(producer.onReady()))
        producer._setReady(False)
        with pytest.raises(TimeoutError):
            producer.onReady().take(0)
        producer._setReady(True)
        producer.close()
        assert not producer.ready and not told._queue
        with pytest.raises(SubscriptionClosed, match="before it was ready"):
            producer.onReady().take(0)

    def test_an_error_closes(self) -> None:
        told: QueueSubscription[Any] = QueueSubscription()
        producer: SubscriptionProducer[int] = SubscriptionProducer()
        fault = OSError("unplugged")
        assert producer.onError(told.put_nowait) == told.put_nowait
        event = producer.onError()
        ready = producer.onReady()
        producer._setReady(False)
        producer._setError(fault)
        producer._setError(ValueError("the first counts"))
        assert told.take(SOON) is fault is event.take(0) is producer.onError().take(0) is producer.error
        assert producer.closed
        with pytest.raises(SubscriptionClosed) as end:
            ready.take(0)
        assert end.value.__cause__ is fault

    def test_close_is_told_and_can_be_awaited(self) -> None:
        async def main() -> None:
            told: asyncio.Queue[str] = asyncio.Queue()
            producer: SubscriptionProducer[int] = SubscriptionProducer()

            async def tell() -> None:
                await told.put("async")

            producer.onClose(lambda: told.put_nowait("plain"))
            producer.onClose(tell)
            no_error = producer.onError()
            waiting = asyncio.ensure_future(_awaited(producer))
            await asyncio.sleep(0)
            await producer.close()
            await producer.close()
            await asyncio.wait_for(waiting, SOON)
            assert {await told.get(), await told.get()} == {"plain", "async"}
            with pytest.raises(SubscriptionClosed, match="without an error"):
                await no_error

        asyncio.run(main())

    def test_as_a_context(self) -> None:
        async def main() -> None:
            async with SubscriptionProducer[int]() as producer:
                assert not producer.closed
            assert producer.closed

        asyncio.run(main())
        with SubscriptionConsumer[int]() as consumer:
            pass
        assert consumer.closed

    def test_a_callback_that_raises_keeps_nothing_from_happening(self) -> None:
        producer: SubscriptionProducer[int] = SubscriptionProducer()

        class Bad:
            def put_nowait(self, element: Any) -> None:
                raise OSError

        producer.onClose(lambda: 1 // 0)
        producer.onClose(Bad())
        producer.close().take(SOON)


class TestBoth:
    """SubscriptionProducerConsumer."""

    def test_it_takes_and_makes(self) -> None:
        both: SubscriptionProducerConsumer[int, str] = SubscriptionProducerConsumer()
        out = both.subscribe()
        both.put_nowait(5)
        both._put_nowait(str(both._take(0)))
        assert out.take(0) == "5"
        both.close()
        for read in [out.take, both._take, both.take]:
            with pytest.raises(SubscriptionClosed):
                read()


async def _awaited(what: Any) -> Any:
    return await what
