"""Order, results and frames of workers, without a bus."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from waldo._order import Counts, Order
from waldo._work_source import head, read
from waldo.frame import Frame, Info, Packet
from waldo.media.v1 import media_pb2
from waldo.results import Result
from waldo.work.v1 import work_pb2
from waldo.workers import result_of


def result(epoch: int, sequence: int, at: int | None = None) -> work_pb2.Result:
    """Returns one of a device whose epochs last a million frames."""
    r = work_pb2.Result(epoch=epoch, sequence=sequence, outcome=work_pb2.OUTCOME_DONE)
    r.capture_time.seconds = epoch * 1_000_000 + sequence if at is None else at
    return r


def play(script: str) -> tuple[str, Counts]:
    """Puts results, as epoch:sequence, into an order that waits 100 ms and keeps at most 4 results or 1000 bytes. "+n"
    lets n milliseconds pass; a result that ends with "*" has 600 bytes."""
    order, now, taken = Order(0.1, 4, 1000), 0.0, []

    def take(at: float) -> None:
        while (r := order.take(at)) is not None:
            taken.append(f"{r.epoch}:{r.sequence}")

    for step in script.split():
        if step.startswith("+"):
            end = now + int(step) / 1000 + 1e-9
            while (due := order.due()) is not None and due <= end:
                take(due)
            now = end
            continue
        epoch, _, number = step.rstrip("*").partition(":")
        order.put(result(int(epoch), int(number)), 600 if step.endswith("*") else 10, now)
        take(now)
    return " ".join(taken), order.counts


@pytest.mark.parametrize(
    ("script", "want", "counts"),
    [
        ("1:0 1:1 1:2", "1:0 1:1 1:2", {}),
        ("1:0 1:2 1:3 1:1", "1:0 1:1 1:2 1:3", {}),
        ("1:0 1:2 +99", "1:0", {}),
        ("1:0 1:2 1:3 +100 1:4", "1:0 1:2 1:3 1:4", {"missing": 1}),
        ("1:0 1:2 +100 1:1 1:1 1:3", "1:0 1:2 1:3", {"late": 1, "duplicate": 1}),
        ("1:0 1:0 1:2 1:2 1:1 1:0", "1:0 1:1 1:2", {"duplicate": 3}),
        ("1:0 1:4 +60 1:2 +40", "1:0 1:2 1:4", {"missing": 2}),
        ("1:0 1:2 1:3 1:4 1:5 1:6 1:1", "1:0 1:2 1:3 1:4 1:5 1:6", {"late": 1}),
        ("1:0 1:2* 1:3* 1:4", "1:0 1:2 1:3 1:4", {"missing": 1}),
        ("1:7 1:6 +100 1:5 1:8", "1:6 1:7 1:8", {"late": 1}),
        ("1:0 1:2 2:0 1:1 2:1", "1:0 1:2 2:0 2:1", {"missing": 1, "late": 1}),
        ("1:0 0:1 1:1", "1:0 1:1", {"invalid": 1}),
        ("1:0 1:9 +100 1:10", "1:0 1:9 1:10", {"missing": 8}),
    ],
)
def test_order(script: str, want: str, counts: dict[str, int]) -> None:
    assert play(script) == (want, Counts(**counts))


def test_order_recovers_from_what_a_broken_worker_makes_up() -> None:
    order, taken = Order(0.1, 4), 0
    steps = [(1, 0, 1), (99, 0, 1), (1, 1, 2), (1, 1 << 62, 2), (1, 2, 3), (1, 3, 4), (1, 0, 5), (1, 1, 6)]
    for n, (epoch, number, at) in enumerate(steps):
        order.put(result(epoch, number, at), 1, n)
        while order.take(n + 0.5) is not None:
            taken += 1
    assert (taken, order.counts.late, order.counts.duplicate) == (8, 0, 0)


def test_the_very_first_result_does_not_wait_for_long() -> None:
    order = Order(3600, 4)
    order.put(result(1, 7), 1, 0)
    assert order.take(0.4) is None and order.take(0.5) is not None
    order.put(result(2, 1), 1, 0)
    assert order.take(0.5) is None


@pytest.mark.parametrize(
    ("made", "value", "data", "shape"),
    [
        (None, None, b"", None),
        (
            {"faces": [{"x": 1, "sure": np.float32(0.5)}], "none": None},
            {"faces": [{"x": 1, "sure": 0.5}], "none": None},
            b"",
            None,
        ),
        (np.arange(3), [0, 1, 2], b"", None),
        ([True, "text", ()], [True, "text", []], b"", None),
        (bytearray(b"abc"), None, b"abc", None),
        (np.zeros((4, 6, 3), np.uint8)[:, ::2], None, b"", (4, 3, 3)),
        (({"n": 1}, memoryview(b"abc"), np.zeros((4, 6, 3), np.uint8)), {"n": 1}, b"abc", (4, 6, 3)),
    ],
)
def test_what_functions_return(made: Any, value: Any, data: bytes, shape: tuple[int, ...] | None) -> None:
    r = Result(result_of(made))
    assert (r.value, r.data, r.outcome) == (value, data, "done")
    assert r.picture is None if shape is None else isinstance(r.picture, Frame) and r.picture.shape == shape


@pytest.mark.parametrize("made", [0, -3, 2**53, 1.5, -0.25, 1e300, np.float32(0.5), True])
def test_whole_numbers_come_back_as_int(made: Any) -> None:
    value = Result(result_of([made])).value[0]
    assert value == made and type(value) is type(made.item() if isinstance(made, np.generic) else made)


def test_a_packet_stays_what_it_is() -> None:
    info = Info(epoch=3, sequence=4, capture_time=5, media_type="image/jpeg", width=8)
    r = Result(result_of(Packet(b"\xff\xd8", info)))
    assert isinstance(r.picture, Packet) and r.picture == b"\xff\xd8"
    assert (r.picture.sequence, r.picture.capture_time, r.picture.width) == (4, 5, 8)


def nested() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (object(), "cannot be a object"),
        ({1: 2}, "keys of a result are texts"),
        (({"a": 1}, {"b": 2}), "value twice"),
        (np.zeros((4, 6, 4), np.uint8), "shape"),
        (nested(), "nested too deeply"),
    ],
)
def test_what_functions_must_not_return(made: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        result_of(made)


def frame(size: int) -> bytes:
    f = media_pb2.VideoFrame(epoch=1 << 62, sequence=300, key_frame=True, data=b"x" * size)
    f.capture_time.seconds = 7
    return f.SerializeToString()


TYPE = {"Waldo-Type": "waldo.media.v1.VideoFrame"}


def test_a_frame_in_parts_is_answered_by_who_has_the_first() -> None:
    whole = frame(5000)
    first = read(whole[:1000], {**TYPE, "Waldo-Part": "abc 0 6"})
    assert first is not None and "6 parts" in first.problem and "max_payload" in first.problem
    assert (first.frame.epoch, first.frame.sequence, first.frame.capture_time.seconds) == (1 << 62, 300, 7)
    assert read(whole[1000:2000], {"Waldo-Part": "abc 1 6"}) is None
    for n in range(60):  # wherever it is cut off
        head(whole[:n])
    assert head(b"\x08" + b"\xff" * 30).epoch == 0


def test_what_is_no_frame() -> None:
    good = read(frame(10), TYPE)
    assert good is not None and good.frame.sequence == 300 and not good.problem
    assert read(frame(10), {}) is None
    assert read(frame(10)[:20], TYPE) is None
    assert read(b"", TYPE) is None
