"""What each kind of subscription promises, on threads and on event loops."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from waldo.producers import SubscriptionProducer
from waldo.subscriptions import (
    CallbackSubscription,
    DelayedSubscription,
    EventSubscription,
    GetterSubscription,
    MostRecentSubscription,
    QueueSubscription,
    RebatchSubscription,
    Subscription,
    SubscriptionClosed,
)

#: How long to wait for what happens at once unless something is broken.
SOON = 20.0


def drain(subscription: Subscription[Any]) -> list[Any]:
    """Takes what is queued."""
    got = []
    while True:
        try:
            got.append(subscription.take(0))
        except (TimeoutError, SubscriptionClosed):
            return got


@pytest.mark.parametrize(("make", "want", "lost"), [
    (MostRecentSubscription, [9], 9),
    (lambda: QueueSubscription(3), [7, 8, 9], 7),
    (lambda: QueueSubscription(1), [9], 9),
    (QueueSubscription, list(range(10)), 0),
    (lambda: RebatchSubscription(1, subscription=QueueSubscription(2)), [8, 9], 8),
])  # fmt: skip
def test_a_slow_reader_loses_the_oldest(make: Callable[[], Subscription[Any]], want: list[int], lost: int) -> None:
    subscription = make()
    for i in range(10):
        subscription.put_nowait(np.array([i]) if isinstance(subscription, RebatchSubscription) else i)
    assert (drain(subscription), subscription.lost) == (want, lost)


@pytest.mark.parametrize("bad", [0, -1])
def test_a_bound_is_at_least_one(bad: int) -> None:
    with pytest.raises(ValueError, match="bound is .*at least 1"):
        QueueSubscription(bad)
    with pytest.raises(ValueError, match="samples is .*at least 1"):
        RebatchSubscription(bad)


def test_most_recent_waits_for_a_new_element() -> None:
    async def main() -> None:
        newest: MostRecentSubscription[int] = MostRecentSubscription()
        newest.put_nowait(1)
        assert await newest == 1
        waiting = asyncio.ensure_future(newest.get())
        await asyncio.sleep(0)
        assert not waiting.done()
        newest.put_nowait(2)
        assert await asyncio.wait_for(waiting, SOON) == 2

    asyncio.run(main())


def test_elements_cross_from_threads_to_loops_and_back() -> None:
    there: QueueSubscription[int] = QueueSubscription(1000)
    back: QueueSubscription[int] = QueueSubscription(1000)

    async def echo() -> None:
        async for element in there:
            back.put_nowait(element)

    loop = threading.Thread(target=lambda: asyncio.run(echo()))
    loop.start()
    for i in range(500):
        there.put_nowait(i)
        assert back.take(SOON) == i
    there.close()
    loop.join(SOON)
    assert not loop.is_alive()


def test_a_get_that_is_cancelled_loses_nothing() -> None:
    async def main() -> None:
        queue: QueueSubscription[int] = QueueSubscription()
        for i in range(50):
            waiting = asyncio.ensure_future(queue.get())
            await asyncio.sleep(0)
            queue.put_nowait(i)  # wakes it, and the cancellation comes first
            waiting.cancel()
            try:
                got = await waiting
            except asyncio.CancelledError:
                got = await asyncio.wait_for(queue.get(), SOON)
            assert got == i
        assert not queue._watchers

    asyncio.run(main())


def test_take_gives_up_in_time() -> None:
    with pytest.raises(TimeoutError, match="nothing came within 0.01 s"):
        MostRecentSubscription[int]().take(0.01)


@pytest.mark.parametrize("kind", ["queue", "most recent", "event", "getter", "delayed", "rebatch"])
@pytest.mark.parametrize("way", ["close", "producer"])
def test_readers_wake_at_the_end(kind: str, way: str) -> None:
    """Those of RTCBot hang for ever."""
    producer: SubscriptionProducer[Any] = SubscriptionProducer()

    async def never() -> int:
        await asyncio.Event().wait()
        return 1

    async def main() -> None:
        kinds: dict[str, Callable[[], Subscription[Any]]] = {
            "queue": QueueSubscription,
            "most recent": MostRecentSubscription,
            "event": EventSubscription,
            "getter": lambda: GetterSubscription(never),
            "delayed": lambda: DelayedSubscription(producer),
            "rebatch": lambda: RebatchSubscription(10),
        }
        subscription = kinds[kind]()
        if way == "producer" and kind != "delayed":
            producer.subscribe(subscription)
        threads = [asyncio.to_thread(subscription.take)] if kind != "getter" else []
        waiting = [asyncio.ensure_future(w) for w in [subscription.get(), subscription.get(), *threads]]
        while len(getattr(subscription, "_box", subscription)._watchers) < len(waiting):
            await asyncio.sleep(0.001)
        if way == "close":
            subscription.close()
        else:
            producer._setError(OSError("unplugged"))
        for end in await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), SOON):
            assert isinstance(end, SubscriptionClosed), end
            assert (way == "close") == (end.__cause__ is None)

    asyncio.run(main())


def test_a_loop_over_a_subscription_ends_with_it() -> None:
    producer: SubscriptionProducer[int] = SubscriptionProducer(QueueSubscription)
    clean, failed = producer.subscribe(), producer.subscribe()
    producer._put_nowait(1)
    producer._put_nowait(2)
    producer.unsubscribe(clean)
    producer._setError(OSError("unplugged"))
    assert list(clean) == [1, 2]
    with pytest.raises(SubscriptionClosed) as end:
        list(failed)
    assert isinstance(end.value.__cause__, OSError)


def test_a_subscription_that_is_subscribed_again_goes_on() -> None:
    producer: SubscriptionProducer[int] = SubscriptionProducer(QueueSubscription)
    queue = producer.subscribe()
    producer.unsubscribe(queue)
    assert queue.closed
    producer._put_nowait(1)
    assert producer.subscribe(queue) is queue and not queue.closed
    producer._put_nowait(2)
    assert drain(queue) == [2]
    queue.close()
    with pytest.raises(SubscriptionClosed, match="subscribe with a new one"):
        producer.subscribe(queue)


def test_one_subscription_of_two_producers_ends_with_the_last() -> None:
    one: SubscriptionProducer[int] = SubscriptionProducer()
    two: SubscriptionProducer[int] = SubscriptionProducer()
    both: QueueSubscription[int] = QueueSubscription()
    one.subscribe(both)
    two.subscribe(both)
    one._put_nowait(1)
    one.close()
    two._put_nowait(2)
    assert (drain(both), both.closed) == ([1, 2], False)
    two.close()
    assert both.closed


class TestEvent:
    """EventSubscription; RTCBot's raises TypeError when it is awaited."""

    def test_it_fires_once_and_answers_for_ever(self) -> None:
        async def main() -> None:
            event: EventSubscription[str] = EventSubscription()
            waiting = [asyncio.ensure_future(event.get()) for _ in range(3)]
            await asyncio.sleep(0)
            event.put_nowait("first")
            event.put_nowait("second")
            assert await asyncio.gather(*waiting) == ["first"] * 3
            assert await event == "first" == event.take(0)

        asyncio.run(main())

    def test_it_answers_after_the_end(self) -> None:
        producer: SubscriptionProducer[int] = SubscriptionProducer()
        event = producer.subscribe(EventSubscription())
        producer._put_nowait(7)
        producer.close()
        assert event.take(0) == 7


class TestGetter:
    """GetterSubscription asks when, and only when, somebody reads."""

    def test_it_asks_for_each_read(self) -> None:
        asked: list[int] = []

        async def answer() -> int:
            asked.append(len(asked))
            await asyncio.sleep(0)
            return len(asked)

        async def main() -> None:
            getter: GetterSubscription[int] = GetterSubscription(answer)
            await asyncio.sleep(0)
            assert not asked
            assert [await getter.get(), await getter.get()] == [1, 2]
            assert await asyncio.to_thread(getter.take, SOON) == 3

        asyncio.run(main())

    @pytest.mark.parametrize("answer", [lambda: 5, lambda: None])
    def test_a_plain_function_needs_no_loop(self, answer: Callable[[], Any]) -> None:
        assert GetterSubscription(answer).take(SOON) == answer()

    def test_a_fault_reaches_the_reader_and_the_next_read_asks_again(self) -> None:
        answers: list[Any] = [ZeroDivisionError("no"), 5]

        def answer() -> int:
            value = answers.pop(0)
            if isinstance(value, Exception):
                raise value
            return int(value)

        getter: GetterSubscription[int] = GetterSubscription(answer)
        with pytest.raises(ZeroDivisionError):
            getter.take(SOON)
        assert getter.take(SOON) == 5

    def test_an_async_function_without_a_loop_is_an_error(self) -> None:
        async def answer() -> int:
            return 1

        with pytest.raises(TypeError, match="needs an event loop"):
            GetterSubscription(answer).take(SOON)
        with pytest.raises(TypeError, match="nothing is put"):
            GetterSubscription[int](answer).put_nowait(1)

    def test_a_cancelled_read_cancels_the_question(self) -> None:
        async def main() -> None:
            queue: asyncio.Queue[int] = asyncio.Queue()
            getter: GetterSubscription[int] = GetterSubscription(queue.get)
            waiting = asyncio.ensure_future(getter.get())
            while not getter._watchers:
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            queue.put_nowait(1)
            assert await asyncio.wait_for(getter.get(), SOON) == 1

        asyncio.run(main())

    def test_it_outlives_the_loop_that_it_asked_on(self) -> None:
        async def never() -> int:
            await asyncio.Event().wait()
            return 1

        getter: GetterSubscription[int] = GetterSubscription(never)
        loop = asyncio.new_event_loop()
        waiting = loop.create_task(getter.get())
        for _ in range(5):
            loop.run_until_complete(asyncio.sleep(0))
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is what this test is about
        loop.close()
        del waiting, task
        gc.collect()

        async def again() -> None:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(getter.get(), 0.05)

        asyncio.run(again())


class TestDelayed:
    """DelayedSubscription; RTCBot's cannot be unsubscribed, and reading it after the end hangs."""

    def test_it_begins_with_the_first_read(self) -> None:
        producer: SubscriptionProducer[int] = SubscriptionProducer()
        delayed: DelayedSubscription[int] = DelayedSubscription(producer, QueueSubscription(2))
        producer._put_nowait(1)
        with pytest.raises(TimeoutError):
            delayed.take(0)
        for i in range(2, 6):
            producer._put_nowait(i)
        assert (drain(delayed), delayed.lost) == ([4, 5], 2)

    @pytest.mark.parametrize("begun", [False, True])
    def test_it_is_unsubscribed_before_and_after_it_begins(self, begun: bool) -> None:
        producer: SubscriptionProducer[int] = SubscriptionProducer()
        delayed: DelayedSubscription[int] = DelayedSubscription(producer)
        if begun:
            assert drain(delayed) == []
        producer.unsubscribe(delayed)
        producer._put_nowait(1)
        assert delayed.closed
        with pytest.raises(SubscriptionClosed):
            delayed.take(SOON)

    def test_close_leaves_the_producer(self) -> None:
        counts: list[int] = []

        class Counting(SubscriptionProducer[int]):
            def _subscribed(self, count: int) -> None:
                counts.append(count)

        delayed: DelayedSubscription[int] = DelayedSubscription(Counting())
        assert drain(delayed) == []
        delayed.close()
        assert counts == [1, 0]


class TestRebatch:
    """RebatchSubscription."""

    @pytest.mark.parametrize(
        ("sizes", "samples", "axis"),
        [
            ([960, 960, 128, 2048], 1024, 1),
            ([960, 960, 128, 2048], 1024, 0),
            ([960, 960, 128, 2048], 1024, -1),
            ([5], 1, 0),
            ([0, 5, 0, 5, 0], 10, 0),
            ([3, 4], 10, 0),
            ([480, 480], 960, 1),
        ],
    )
    def test_nothing_is_lost_or_reordered(self, sizes: list[int], samples: int, axis: int) -> None:
        whole = np.arange(2 * sum(sizes)).reshape(2, -1) if axis else np.arange(2 * sum(sizes)).reshape(-1, 2)
        blocks = RebatchSubscription(samples, axis)
        for part in np.split(whole, np.cumsum(sizes)[:-1], axis):
            blocks.put_nowait(part)
        got = drain(blocks)
        assert all(block.shape[axis] == samples for block in got)
        assert len(got) == sum(sizes) // samples
        rest = blocks.rest()
        np.testing.assert_array_equal(np.concatenate([*got, *([] if rest is None else [rest])], axis), whole)
        assert blocks.rest() is None

    def test_a_block_within_one_array_is_not_copied(self) -> None:
        blocks = RebatchSubscription(4)
        array = np.arange(12)
        blocks.put_nowait(array)
        assert all(np.shares_memory(block, array) for block in drain(blocks))
        exact = np.arange(4)
        blocks.put_nowait(exact)
        assert blocks.take(0) is exact

    def test_arrays_that_change_start_over(self) -> None:
        blocks = RebatchSubscription(4)
        arrays: list[Any] = [np.zeros(3, np.int16), np.zeros(3, np.float32), np.ones(1, np.float32)]
        for array in arrays:
            blocks.put_nowait(array)
        np.testing.assert_array_equal(blocks.take(0), np.array([0, 0, 0, 1], np.float32))
        assert blocks.discarded == 3

    @pytest.mark.parametrize("bad", [5, "text", np.zeros(3)])
    def test_what_has_no_such_axis_is_an_error(self, bad: Any) -> None:
        with pytest.raises(ValueError, match="has no axis 1"):
            RebatchSubscription(4, 1).put_nowait(bad)

    def test_the_inner_subscription_is_one_of_ours(self) -> None:
        with pytest.raises(TypeError, match="subscription is a Queue"):
            RebatchSubscription(4, 1, asyncio.Queue())  # type: ignore[arg-type]


class TestCallback:
    """CallbackSubscription; one of RTCBot's that raises takes the element from all who come after it."""

    def test_on_a_thread(self) -> None:
        called: QueueSubscription[Any] = QueueSubscription()
        callback: CallbackSubscription[int] = CallbackSubscription(
            lambda x: called.put_nowait((x, threading.current_thread().name))
        )
        for i in range(3):
            callback.put_nowait(i)
        assert [called.take(SOON) for _ in range(3)] == [(i, "waldo-callback") for i in range(3)]
        callback.close()

    @pytest.mark.parametrize("is_async", [False, True])
    def test_on_the_loop_where_it_was_made(self, is_async: bool) -> None:
        async def main() -> None:
            loop, called = asyncio.get_running_loop(), asyncio.Queue[int]()

            def plain(x: int) -> None:
                assert asyncio.get_running_loop() is loop
                called.put_nowait(x)
                if x == 1:
                    raise ZeroDivisionError

            async def slow(x: int) -> None:
                await asyncio.sleep(0.001 * (3 - x))
                plain(x)

            callback = CallbackSubscription(slow if is_async else plain)
            for i in range(3):
                await asyncio.to_thread(callback.put_nowait, i)
            assert [await asyncio.wait_for(called.get(), SOON) for _ in range(3)] == [0, 1, 2]
            while not callback.failed:
                await asyncio.sleep(0)

        asyncio.run(main())

    def test_direct(self) -> None:
        called: list[int] = []
        callback: CallbackSubscription[int] = CallbackSubscription(lambda x: called.append(1 // x), runDirect=True)
        callback.put_nowait(0)
        callback.put_nowait(1)
        assert (called, callback.failed) == ([1], 1)
        callback.close()
        with pytest.raises(SubscriptionClosed):
            callback.put_nowait(1)

    def test_one_that_blocks_loses_the_oldest_and_holds_up_nobody(self) -> None:
        entered, go_on, done = threading.Event(), threading.Event(), threading.Event()
        called: list[int] = []

        def block(x: int) -> None:
            entered.set()
            go_on.wait(60)
            called.append(x)
            if x == 999:
                done.set()

        callback: CallbackSubscription[int] = CallbackSubscription(block, subscription=MostRecentSubscription())
        callback.put_nowait(0)
        assert entered.wait(SOON)
        for i in range(1, 1000):
            callback.put_nowait(i)  # returns at once
        go_on.set()
        assert done.wait(SOON)
        assert (called, callback.lost) == ([0, 999], 998)
        callback.close()

    def test_it_ends_with_its_loop(self) -> None:
        loop = asyncio.new_event_loop()
        callback: CallbackSubscription[int] = CallbackSubscription(lambda x: None, loop)
        loop.close()
        with pytest.raises(SubscriptionClosed, match="event loop is closed"):
            callback.put_nowait(1)
        assert callback.closed

    def test_an_async_one_without_a_loop_is_an_error(self, caplog: pytest.LogCaptureFixture) -> None:
        async def show(x: int) -> None: ...

        with pytest.raises(TypeError, match="needs an event loop"):
            CallbackSubscription(show)
        callback: CallbackSubscription[int] = CallbackSubscription(lambda x: show(x))
        callback.put_nowait(1)
        while not callback.failed:
            threading.Event().wait(0.001)
        callback.close()
        assert "returned a coroutine" in caplog.text

    def test_elements_must_be_able_to_queue(self) -> None:
        for box in [EventSubscription[int](), GetterSubscription[int](lambda: 1)]:
            with pytest.raises(TypeError, match="do not queue"):
                CallbackSubscription(print, subscription=box)

    def test_it_cannot_be_read(self) -> None:
        with pytest.raises(TypeError, match="is not read"):
            CallbackSubscription(print).take(0)
        with pytest.raises(TypeError, match="is not read"):
            asyncio.run(CallbackSubscription(print).get())

    def test_faults_are_logged_once_in_a_while(self, caplog: pytest.LogCaptureFixture) -> None:
        callback: CallbackSubscription[int] = CallbackSubscription(lambda x: 1 // x, runDirect=True)
        for _ in range(100):
            callback.put_nowait(0)
        assert (callback.failed, len(caplog.records)) == (100, 1)
