"""Events: logged, and handed to callbacks in order."""

from __future__ import annotations

import logging
import queue
import threading

import grpc
import pytest

from tests.live import SOON
from waldo import errors
from waldo.events import MOST_WAITING, Event, Events


def test_callbacks_get_events_in_order_until_they_stop(caplog: pytest.LogCaptureFixture) -> None:
    events, got = Events(), queue.Queue[Event]()
    events.emit("front", "lost", "before anybody listens")
    caplog.clear()
    stop = events.listen(got.put)
    with caplog.at_level(logging.INFO, "waldo"):
        for i in range(3):
            events.emit("front", "lost", f"number {i}")
    assert [got.get(timeout=SOON).text for _ in range(3)] == ["number 0", "number 1", "number 2"]
    assert caplog.messages == ["front: number 0", "front: number 1", "front: number 2"]
    stop()
    events.emit("front", "ready", "nobody listens any more")
    events.close()
    assert got.empty()


def test_a_callback_that_blocks_loses_events_and_holds_nobody_up() -> None:
    events, entered, leave, got = Events(), threading.Event(), threading.Event(), queue.Queue[Event]()

    def block(event: Event) -> None:
        entered.set()
        leave.wait()
        got.put(event)

    events.listen(block)
    events.emit("front", "ready", "first")
    assert entered.wait(SOON)
    for i in range(MOST_WAITING + 10):
        events.emit("front", "ready", str(i))
    assert events.lost == 10
    leave.set()
    events.close()
    assert [got.get(timeout=SOON).text for _ in range(MOST_WAITING + 1)][:2] == ["first", "10"]


def test_what_others_say_cannot_change_a_terminal() -> None:
    events, got = Events(), queue.Queue[Event]()
    events.listen(got.put)
    events.emit("front", "away", "no\x1b[2J such\ndevice ü")
    assert got.get(timeout=SOON).text == "no\ufffd[2J such device ü"
    events.close()
    error = errors.error_of(grpc.StatusCode.UNAVAILABLE, "a\x1b]0;b\x07\nc" + "x" * 10_000, "front")
    assert str(error).startswith("front: a\ufffd]0;b\ufffd\nc")
    assert len(str(error)) < 2100


@pytest.mark.parametrize("code", grpc.StatusCode)
def test_every_code_is_an_error_with_its_code(code: grpc.StatusCode) -> None:
    error = errors.error_of(code, "", "front")
    assert error.code is code
    assert str(error) != "front: "
