"""Boxes, readings and loops, without a robot."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.live import SOON, until
from waldo.errors import Closed, InvalidRequest, Unavailable, WaldoError
from waldo.events import Events
from waldo.reading import Box, Loop, Reading


def contents(box: Box[int]) -> list[int]:
    box.close()
    taken = []
    while True:
        try:
            taken.append(box.take())
        except Closed:
            return taken


@pytest.mark.parametrize(
    ("size", "puts", "kept", "lost"),
    [(1, 1, [0], 0), (1, 2, [1], 1), (1, 5, [4], 4), (3, 3, [0, 1, 2], 0), (3, 4, [3], 3), (3, 5, [3, 4], 3)],
)
def test_a_box_of_the_newest(size: int, puts: int, kept: list[int], lost: int) -> None:
    box = Box[int](size)
    assert all(box.put(i) for i in range(puts))
    assert (contents(box), box.lost) == (kept, lost)


def test_a_box_that_drops_the_oldest() -> None:
    box = Box[int](3, within=SOON)
    assert all(box.put(i) for i in range(5))
    assert (contents(box), box.lost) == ([2, 3, 4], 2)


def test_what_has_waited_for_too_long_is_dropped_except_the_newest() -> None:
    box = Box[int](100, within=0)
    for i in range(3):
        box.put(i)
    until("a moment", lambda: box.take() == 2)
    assert box.lost == 2


def test_a_box_that_waits_for_room_loses_nothing() -> None:
    box = Box[int](2, newest=False)
    writer = threading.Thread(target=lambda: [box.put(i) for i in range(100)])
    writer.start()
    assert [box.take() for _ in range(100)] == list(range(100))
    writer.join()
    assert box.lost == 0


def test_closing_a_box_frees_who_waits() -> None:
    box, found = Box[int](1), queue.Queue[object]()

    def read() -> None:
        try:
            box.take()
        except WaldoError as e:
            found.put(e)

    reader = threading.Thread(target=read)
    reader.start()
    box.close(InvalidRequest("wrong"))
    reader.join()
    assert isinstance(found.get(timeout=SOON), InvalidRequest)
    assert not box.put(1)

    full = Box[int](1, newest=False)
    full.put(0)
    writer = threading.Thread(target=lambda: found.put(full.put(1)))
    writer.start()
    full.close()
    writer.join()
    assert found.get(timeout=SOON) is False


def test_taking_with_a_timeout() -> None:
    box = Box[int]()
    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        box.take(0.01)
    box.put(7)
    assert box.take(0) == 7


def test_several_tasks_of_several_loops_take_from_a_box() -> None:
    box = Box[int](1000, newest=False)

    async def take(n: int) -> list[int]:
        return [await box.take_async() for _ in range(n)]

    async def main() -> list[int]:
        return [i for part in await asyncio.gather(*(take(50) for _ in range(4))) for i in part]

    taken: list[int] = []
    readers = [threading.Thread(target=lambda: taken.extend(asyncio.run(main()))) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(600):
        box.put(i)
    for reader in readers:
        reader.join()
    assert sorted(taken) == list(range(600))


def test_a_task_that_is_cancelled_takes_nothing() -> None:
    box = Box[int]()

    async def main() -> int:
        waiting = asyncio.ensure_future(box.take_async())
        await asyncio.sleep(0)
        waiting.cancel()
        box.put(1)
        return await box.take_async()

    assert asyncio.run(main()) == 1


class Failure(grpc.RpcError, grpc.Call):
    """An error as grpcio raises it."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "told so"

    def _unused(self, *_: object) -> Any:
        raise NotImplementedError

    initial_metadata: Any = _unused
    trailing_metadata: Any = _unused
    is_active: Any = _unused
    time_remaining: Any = _unused
    cancel: Any = _unused
    add_callback: Any = _unused


class Script:
    """Calls that give what each list says, and then end; a call that ends with None stays open."""

    def __init__(self, *calls: list[Any]) -> None:
        self.calls = list(calls)
        self.begun = 0

    def begin(self) -> ScriptedCall:
        self.begun += 1
        if not self.calls:
            raise Failure(grpc.StatusCode.UNAVAILABLE)
        return ScriptedCall(self.calls.pop(0))


class ScriptedCall:
    def __init__(self, steps: list[Any]) -> None:
        self._steps, self._cancelled = steps, threading.Event()

    def __iter__(self) -> Iterator[Any]:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            if step is None:
                self._cancelled.wait()
                raise Failure(grpc.StatusCode.CANCELLED)
            yield step

    def cancel(self) -> bool:
        self._cancelled.set()
        return True


def reading_of(script: Script) -> Reading[int]:
    return Reading(Events(), "test", "numbers", script.begin, lambda step: None if step == "skip" else step)


def test_a_reading_calls_again_whatever_ends_a_call() -> None:
    script = Script(
        [1, "skip", 2],
        [3, Failure(grpc.StatusCode.UNAVAILABLE)],
        [Failure(grpc.StatusCode.INTERNAL)],
        [4, Failure(grpc.StatusCode.RESOURCE_EXHAUSTED)],
        [5, None],
    )
    reading = reading_of(script)
    with Loop(reading, Box[int](100)) as loop:
        assert [loop.take(SOON) for _ in range(5)] == [1, 2, 3, 4, 5]
        assert reading.state == "live"
    assert (reading.state, script.begun) == ("idle", 5)


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.NOT_FOUND,
    ],
)
def test_what_trying_again_cannot_change_ends_a_reading(code: grpc.StatusCode) -> None:
    script = Script([1, 2, Failure(code)])
    reading = reading_of(script)
    loop = Loop(reading, Box[int](100))
    assert [next(loop), next(loop)] == [1, 2]
    with pytest.raises(WaldoError, match="told so") as raised:
        next(loop)
    assert (raised.value.code, reading.state, script.begun) == (code, "failed", 1)
    loop.close()


def test_a_device_that_was_never_there_ends_a_reading() -> None:
    with Loop(reading_of(Script()), Box[int]()) as loop, pytest.raises(Unavailable):
        next(loop)


def test_a_reading_that_failed_begins_again_with_the_next_loop() -> None:
    script = Script([Failure(grpc.StatusCode.INVALID_ARGUMENT)], [1, None])
    reading = reading_of(script)
    with Loop(reading, Box[int]()) as loop, pytest.raises(InvalidRequest):
        next(loop)
    with Loop(reading, Box[int]()) as loop:
        assert next(loop) == 1


def test_a_message_that_cannot_be_converted_is_an_error_for_the_loop() -> None:
    reading: Reading[int] = Reading(Events(), "test", "numbers", Script([0]).begin, lambda step: 1 // step)
    with Loop(reading, Box[int]()) as loop, pytest.raises(WaldoError, match="division"):
        next(loop)


def test_a_listener_that_fails_does_not_harm_the_others() -> None:
    class Bad:
        error: WaldoError | None = None

        def put(self, item: int) -> None:
            raise ValueError(f"no {item}")

        def close(self, error: WaldoError | None = None) -> None:
            self.error = self.error or error

    bad, script, both = Bad(), Script([1, 2, 3, None]), threading.Event()

    def begin() -> ScriptedCall:
        both.wait(SOON)
        return script.begin()

    reading: Reading[int] = Reading(Events(), "test", "numbers", begin, lambda step: step)
    good = Loop(reading, Box[int](100))
    reading.attach(bad)
    both.set()
    assert [next(good) for _ in range(3)][-1] == 3
    until("the error", lambda: isinstance(bad.error, WaldoError))
    good.close()


def test_closing_a_reading_whose_loop_does_not_read() -> None:
    reading = reading_of(Script([1, 2, 3, 4, None]))
    box = Box[int](1, newest=False)
    loop = Loop(reading, box)
    until("the box is full", lambda: box.full)
    reading.close()
    assert list(loop) == [1]


def test_the_first_call_is_tried_for_a_while() -> None:
    script = Script([Failure(grpc.StatusCode.UNAVAILABLE)], [Failure(grpc.StatusCode.UNAVAILABLE)], [1, None])
    reading = reading_of(script)
    reading.patience = SOON
    with Loop(reading, Box[int]()) as loop:
        assert next(loop) == 1


def test_a_loop_that_is_forgotten_ends_its_call() -> None:
    reading = reading_of(Script([1, None]))
    loop = Loop(reading, Box[int]())
    assert next(loop) == 1
    del loop
    until("the call has ended", lambda: reading.state == "idle")
