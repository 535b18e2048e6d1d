"""Topics: what is said, heard, refused, and what happens when they end. The bus is one list of callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import waldo
import waldo.subscriptions
from waldo.message.v1 import message_pb2
from waldo.topics import LONGEST, WAITING, Topic


class FakeBus:
    """Hands each message to everybody, its sender included, as NATS does."""

    def __init__(self) -> None:
        self.members: dict[object, tuple[str, Callable[[Any], object]]] = {}
        self.away = False

    def publish(self, subject: str, message: message_pb2.Message) -> None:
        if self.away:
            raise waldo.Unavailable("the bus is away")
        for wanted, callback in list(self.members.values()):
            if wanted == subject:
                callback(message)

    def subscribe(
        self, subject: str, _: type[message_pb2.Message], callback: Callable[[Any], object]
    ) -> FakeMembership:
        membership = FakeMembership(self)
        self.members[membership] = subject, callback
        return membership


class FakeMembership:
    def __init__(self, bus: FakeBus) -> None:
        self._bus = bus

    def close(self) -> None:
        del self._bus.members[self]


class FakeRobot:
    """A robot that is found at the second attempt."""

    def __init__(self, bus: FakeBus, timeout: float = 5.0) -> None:
        self.bus, self.name, self.timeout, self.asked = bus, "test", timeout, 0

    @property
    def robot(self) -> str:
        self.asked += 1
        if self.asked == 1:
            raise waldo.Unavailable("not there yet")
        return "rover"


def pair() -> tuple[FakeBus, Topic, Topic]:
    bus = FakeBus()
    one, two = (Topic(FakeRobot(bus), "chat") for _ in range(2))  # type: ignore[arg-type]
    return bus, one, two


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True]}, "text", "7", "", 7, None, b"bytes", "\ud800", "ü"])
def test_values_arrive_as_they_were(value: Any) -> None:
    _, one, two = pair()
    heard = two.subscribe()
    one.put_nowait(value)
    assert heard.take(1) == value


def test_nobody_hears_themselves() -> None:
    _, one, two = pair()
    own, other = one.subscribe(), two.subscribe()
    one.put_nowait(1)
    two.put_nowait(2)
    assert own.take(1) == 2 and other.take(1) == 1
    with pytest.raises(TimeoutError):
        own.take(0)


@pytest.mark.parametrize(
    "text, want", [('{"a": 1}', {"a": 1}), ("hello", "hello"), ("", ""), ("[" * 100_000, "[" * 100_000)]
)
def test_what_pages_send(text: str, want: Any) -> None:
    bus, one, _ = pair()
    heard = one.subscribe()
    bus.publish("waldo.v1.rover.msg.chat", message_pb2.Message(sender="page", text=text))
    assert heard.take(1) == want


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object(), "x" * LONGEST, b"x" * (LONGEST + 1)])
def test_what_cannot_be_said(value: Any) -> None:
    bus, one, two = pair()
    heard = two.subscribe()
    with pytest.raises(waldo.InvalidRequest):
        one.put_nowait(value)
    one.put_nowait(b"x" * LONGEST)
    assert len(heard.take(1)) == LONGEST
    bus.away = True
    with pytest.raises(waldo.Unavailable):
        one.put_nowait(1)


@pytest.mark.parametrize("name", ["", "a b", "a.b", ">", "x" * 65])
def test_names(name: str) -> None:
    with pytest.raises(waldo.InvalidRequest, match="letters, digits"):
        Topic(FakeRobot(FakeBus()), name)  # type: ignore[arg-type]


def test_a_robot_that_does_not_come() -> None:
    with pytest.raises(waldo.Unavailable):
        Topic(FakeRobot(FakeBus(), timeout=0), "chat")  # type: ignore[arg-type]


def test_a_slow_reader_loses_the_oldest() -> None:
    _, one, two = pair()
    heard = two.subscribe()
    for number in range(WAITING + 10):
        one.put_nowait(number)
    assert heard.take(1) == 10 and heard.lost == 10


def test_closing_leaves_and_wakes() -> None:
    bus, one, two = pair()
    heard = two.subscribe()
    one.put_nowait(1)
    two.close()
    assert len(bus.members) == 1
    assert heard.take(1) == 1  # what was heard before can still be read
    with pytest.raises(waldo.subscriptions.SubscriptionClosed):
        heard.take(1)
