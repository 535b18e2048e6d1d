"""What devices' classes have of RTCBot's names, over a reading that the test feeds."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import waldo
from waldo._subscribable import Feed, Subscribable
from waldo.errors import WaldoError
from waldo.subscriptions import MostRecentSubscription


class FakeReading:
    """Reads what the test says, on its thread, and tells when the last listener has gone."""

    def __init__(self) -> None:
        self.listeners: list[Any] = []
        self.idle = threading.Event()

    def attach(self, listener: Any) -> None:
        self.idle.clear()
        self.listeners.append(listener)

    def detach(self, listener: Any) -> None:
        listener.close()
        if listener in self.listeners:
            self.listeners.remove(listener)
        if not self.listeners:
            self.idle.set()

    def read(self, item: int) -> None:
        for listener in list(self.listeners):
            listener.put(item)

    def end(self, error: WaldoError | None = None) -> None:
        listeners, self.listeners = self.listeners, []
        for listener in listeners:
            listener.close(error)


class Device(Subscribable[str]):
    def __init__(self, reading: FakeReading) -> None:
        super().__init__()
        self._reading: Any = reading

    def _new_feed(self) -> Feed[str]:
        return Feed(self._reading, str, MostRecentSubscription)


@pytest.fixture
def reading() -> FakeReading:
    return FakeReading()


def test_all_get_the_same_and_it_is_read_while_somebody_listens(reading: FakeReading) -> None:
    device, called = Device(reading), threading.Event()
    heard: list[str] = []

    def callback(item: str) -> None:
        heard.append(item)
        called.set()

    assert reading.listeners == []
    own = device.subscribe()
    assert device.subscribe(callback) is callback and len(reading.listeners) == 1
    reading.read(1)
    assert own.take(5) == "1" and called.wait(5) and heard == ["1"]
    device.unsubscribe(callback)
    reading.read(2)
    assert own.take(5) == "2" and heard == ["1"]
    own.close()
    assert reading.idle.wait(5)


def test_get_goes_on_with_the_newest(reading: FakeReading) -> None:
    device = Device(reading)

    async def main() -> None:
        waiting = asyncio.create_task(device.get())
        await asyncio.sleep(0)
        assert len(reading.listeners) == 1
        reading.read(1)
        assert await waiting == "1"
        reading.read(2)
        reading.read(3)
        assert await device.get() == "3"

    asyncio.run(main())
    device.unsubscribe()
    assert reading.idle.wait(5)


def test_it_can_be_left_from_a_callback(reading: FakeReading) -> None:
    device, left = Device(reading), threading.Event()

    def once(_: str) -> None:
        device.unsubscribe(once)
        left.set()

    device.subscribe(once)
    reading.read(1)
    assert left.wait(5) and reading.idle.wait(5)


def test_unsubscribing_what_is_unknown(reading: FakeReading) -> None:
    with pytest.raises(KeyError):
        Device(reading).unsubscribe(print)


@pytest.mark.parametrize("error", [None, waldo.InvalidRequest("width_px: too large")])
def test_an_end_is_heard_and_is_not_final(reading: FakeReading, error: WaldoError | None) -> None:
    device = Device(reading)
    own = device.subscribe()
    reading.end(error)
    with pytest.raises(waldo.SubscriptionClosed) as ended:
        own.take(5)
    assert ended.value.__cause__ is error
    again = device.subscribe()
    reading.read(1)
    assert again.take(5) == "1"
    device.unsubscribeAll()
    assert reading.idle.wait(5)
