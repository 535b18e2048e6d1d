"""What the workers of a track make of a camera's frames, in the order in which the frames were captured."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from waldo._order import Counts, Order
from waldo.bus import check_name
from waldo.errors import Closed, InvalidRequest
from waldo.frame import Frame, Packet, info_of, picture
from waldo.reading import Box
from waldo.topics import name_of
from waldo.work.v1 import work_pb2

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Value

    from waldo.robot import Robot

log = logging.getLogger("waldo")

# How many results wait for an earlier one, and how many for a reader that is slow.
_MOST, _UNREAD = 1024, 256
_EXACT = 2**53


class Result:
    """What a worker made of one frame."""

    def __init__(self, message: work_pb2.Result) -> None:
        self._message, self._received = message, time.monotonic()

    @property
    def epoch(self) -> int:
        """Of the frame."""
        return self._message.epoch

    @property
    def sequence(self) -> int:
        """Of the frame."""
        return self._message.sequence

    @property
    def capture_time(self) -> float:
        """Of the frame, in seconds since 1970 by the clock of the device's machine."""
        return self._message.capture_time.seconds + self._message.capture_time.nanos / 1e9

    @property
    def age(self) -> float:
        """How many seconds ago the frame was captured; see `Frame.age`."""
        return max(time.time() - self.capture_time, time.monotonic() - self._received)

    @property
    def worker(self) -> str:
        """The name of the worker."""
        return self._message.worker

    @property
    def outcome(self) -> str:
        """"done", "dropped" or "failed"."""
        return str(work_pb2.Outcome.Name(self._message.outcome)).removeprefix("OUTCOME_").lower()

    @property
    def error(self) -> str:
        """Why it failed; empty if it did not."""
        return self._message.error

    @property
    def value(self) -> Any:
        """What the worker found: anything that JSON can say. Whole numbers are int, so that they can be indices."""
        return _plain(self._message.value) if self._message.HasField("value") else None

    @property
    def picture(self) -> Frame | Packet | None:
        """The picture that the worker made, if any."""
        if not self._message.HasField("picture"):
            return None
        return picture(self._message.picture.data, info_of(self._message.picture))

    @property
    def data(self) -> bytes:
        """The bytes that the worker made; may be empty."""
        return self._message.data

    def __repr__(self) -> str:
        return f"<Result {self.sequence} {self.outcome} {self.value!r}>"


def _plain(value: Value) -> Any:
    """Returns what a Value says, as json.loads would. Protobuf knows only doubles: whole ones become int, up to where a
    double stops being exact. How deep it may be is limited by protobuf, which has parsed it."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if abs(number) <= _EXACT and number.is_integer() else number
    if kind == "struct_value":
        return {key: _plain(each) for key, each in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(each) for each in value.list_value.values]
    if kind == "string_value":
        return value.string_value
    return value.bool_value if kind == "bool_value" else None


class Results:
    """Loop over it, with `for` or `async for`. One reader; `counts` and `close` from anywhere."""

    def __init__(self, robot: Robot, camera: str, track: str, buffer_s: float = 0.5, all: bool = False) -> None:
        if not 0 < buffer_s < math.inf:
            raise InvalidRequest(f"buffer_s: {buffer_s!r} is not a number of seconds above 0")
        self._order = Order(buffer_s, _MOST)
        self._box: Box[work_pb2.Result] = Box(_UNREAD, within=math.inf)
        self._all, self._timer, self._logged = all, None, -math.inf
        check_name("camera", camera)
        check_name("track", track)
        self._seen, self._camera = robot.seen, camera
        subject = f"waldo.v1.{name_of(robot)}.{camera}.work.{track}"
        self._subscription = robot.bus.subscribe(subject, work_pb2.Result, self._put)
        robot.at_close(self.close)

    _timer: asyncio.TimerHandle | None

    @property
    def counts(self) -> Counts:
        """What has been counted so far."""
        return replace(self._order.counts, lost=self._box.lost)

    def take(self, timeout: float | None = None) -> Result:
        """Returns the next result, and waits for it. Fails with TimeoutError, or once it has been closed."""
        return self._taken(self._box.take(timeout))

    def __iter__(self) -> Iterator[Result]:
        return self

    def __next__(self) -> Result:
        try:
            return self.take()
        except Closed:
            raise StopIteration from None

    def __aiter__(self) -> AsyncIterator[Result]:
        return self

    async def __anext__(self) -> Result:
        try:
            return self._taken(await self._box.take_async())
        except Closed:
            raise StopAsyncIteration from None

    def close(self) -> None:
        """Ends the loop, once what is there has been taken."""
        self._subscription.close()
        self._box.close()

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _taken(self, message: work_pb2.Result) -> Result:
        """Returns the result that the program gets: who drives by this camera has seen its frame."""
        result = Result(message)
        if message.outcome == work_pb2.OUTCOME_DONE:
            self._seen[self._camera] = result.capture_time
        return result

    def _put(self, result: work_pb2.Result) -> None:
        """Takes what a worker has published; on the thread of the bus, like all below."""
        self._order.put(result, result.ByteSize(), time.monotonic())
        self._emit()

    def _emit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while (result := self._order.take(time.monotonic())) is not None:
            self._deliver(result)
        due = self._order.due()
        if due is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(due - time.monotonic(), 0), self._emit)

    def _deliver(self, result: work_pb2.Result) -> None:
        counts = self._order.counts
        if result.outcome == work_pb2.OUTCOME_DROPPED:
            counts.dropped += 1
        elif result.outcome != work_pb2.OUTCOME_DONE:
            counts.failed += 1
            now = time.monotonic()
            if now - self._logged >= 1:
                self._logged = now
                log.warning("worker %.64r failed on frame %d: %.1024r", result.worker, result.sequence, result.error)
        if self._all or result.outcome == work_pb2.OUTCOME_DONE:
            counts.delivered += 1
            self._box.put(result)
