"""time_ordered."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import waldo
from tests.live import SOON
from waldo.ordered import Merger


@dataclass
class Thing:
    capture_time: float


def play(buffer_s: float, steps: list[tuple[float, str, float]]) -> tuple[list[tuple[float, float]], int]:
    """Puts things (when, stream, capture time), and returns (capture time, when it was taken), and how many were
    late."""
    merger, taken = Merger(buffer_s), []

    def take(until: float) -> None:
        while (due := merger.due()) is not None and due <= until:
            taken.append((merger.take()[1], round(max(due, clock), 6)))

    clock = 0.0
    for when, name, captured in steps:
        take(when)
        clock = when
        merger.put(name, captured, captured, when)
    take(1e9)
    return taken, sum(merger.late.values())


def test_a_stream_out_of_order_is_put_in_order() -> None:
    """Is pystreaming's own example: what comes 0.2 s late is dropped, the others are yielded 0.2 s after they would
    be."""
    steps = [(0, 1), (0.1, 3), (0.15, 2), (0.35, 1.9), (0.4, 5)]
    taken, late = play(0.2, [(when, "a", captured / 10 if captured != 1.9 else 0.19) for when, captured in steps])
    assert [t[0] for t in taken] == [0.1, 0.2, 0.3, 0.5] and late == 1


def test_streams_are_merged_although_one_is_slower() -> None:
    steps = []
    for n in range(100):
        steps.append((n / 30 + 0.01, "fast", n / 30))
        steps.append((n / 25 + 0.15, "slow", n / 25))
    taken, late = play(0.2, sorted(steps))
    assert late == 0 and len(taken) == 200
    assert [t[0] for t in taken] == sorted(t[0] for t in taken)
    assert all(0.2 <= at - captured <= 0.22 for captured, at in taken[2:])


def test_a_clock_that_drifts_is_followed() -> None:
    """An hour with a clock that is a thousandth off: 3.6 s, of which the buffer is a small part."""
    for rate in (0.999, 1.001):
        steps = [(n / 5, name, 1000 + n / 5 * rate) for n in range(5 * 3600) for name in "ab"]
        taken, late = play(0.1, steps)
        assert late == 0 and len(taken) == len(steps)
        delays = [at - (captured - 1000) / rate for captured, at in taken[-1000:]]
        assert 0.05 < min(delays) and max(delays) < 0.2


@pytest.mark.parametrize("by", [-100.0, 100.0])
def test_a_clock_that_is_set_is_followed(by: float) -> None:
    steps = [(n / 30, name, n / 30 + (by if n > 300 else 0)) for n in range(1000) for name in "ab"]
    taken, late = play(0.2, steps)
    assert late <= 10 and len(taken) + late == len(steps)
    assert [t[0] for t in taken[-600:]] == sorted(t[0] for t in taken[-600:])


def test_a_stream_that_is_always_late_does_not_break_the_others() -> None:
    steps = [(n / 30, "good", n / 30) for n in range(300)] + [(n / 30 + 5, "late", n / 30) for n in range(100)]
    taken, late = play(0.2, sorted(steps))
    assert late == 100 and len(taken) == 300


def test_capture_times_are_numbers() -> None:
    with pytest.raises(ValueError, match="not a capture time"):
        Merger(0.1).put("a", float("nan"), None, 0)


def things(times: list[float]) -> Iterator[Thing]:
    for at in times:
        yield Thing(at)


def test_loop_ends_with_the_streams() -> None:
    now = time.time()
    ordered = waldo.time_ordered(0.5, {"a": things([now, now + 0.02]), "b": things([now + 0.01, now + 0.03])})
    assert [(name, round(thing.capture_time - now, 2)) for name, thing in ordered] == [
        ("a", 0),
        ("b", 0.01),
        ("a", 0.02),
        ("b", 0.03),
    ]
    with pytest.raises(waldo.Closed):
        ordered.take()


def test_async_loop_and_key() -> None:
    async def collect() -> list[tuple[str, float]]:
        return [one async for one in waldo.time_ordered(0.2, {"a": [1.0, 1.02], "b": [1.01]}, key=lambda at: at)]

    assert asyncio.run(collect()) == [("a", 1.0), ("b", 1.01), ("a", 1.02)]


def test_loop_fails_as_a_stream_does() -> None:
    def failing() -> Iterator[Thing]:
        yield Thing(1)
        raise OSError("unplugged")

    ordered = waldo.time_ordered(0, {"a": failing()})
    assert next(ordered)[1] == Thing(1)
    with pytest.raises(OSError, match="unplugged"):
        next(ordered)
    with pytest.raises(StopIteration):
        next(ordered)
    with pytest.raises(AttributeError):
        next(waldo.time_ordered(0, {"a": [object()]}))


def test_slow_reader_holds_the_streams_back() -> None:
    made = 0

    def endless() -> Iterator[Thing]:
        nonlocal made
        while True:
            made += 1
            yield Thing(time.time())

    with waldo.time_ordered(0.01, {"a": endless()}) as ordered:
        before = next(ordered)[1].capture_time
        deadline = time.monotonic() + SOON
        while made < 256:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        for _ in range(50):
            now = next(ordered)[1].capture_time
            assert now >= before
            before = now
        assert made < 256 + 60


def test_close_ends_a_loop_that_waits() -> None:
    gate = threading.Event()

    def waiting() -> Iterator[Thing]:
        gate.wait()
        yield from ()

    ordered = waldo.time_ordered(0.1, {"a": waiting()})
    closer = threading.Timer(0.05, ordered.close)
    closer.start()
    assert list(ordered) == []
    gate.set()
    closer.join()


@pytest.mark.parametrize("buffer_s", [-1, float("nan"), float("inf")])
def test_bad_buffers(buffer_s: float) -> None:
    with pytest.raises(waldo.InvalidRequest, match="buffer_s"):
        waldo.time_ordered(buffer_s, {})
