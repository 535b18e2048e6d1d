"""Many workers on the frames of one camera.

    robot = waldo.Robot()

    @robot.work("front", "faces")                      # in as many processes, on as many machines as you like
    def find(frame):
        return {"faces": detect(frame)}

    for result in robot.results("front", "faces"):     # anywhere, in the order in which the frames were captured
        print(result.sequence, result.value)

A track, here ``faces``, is a group of workers that do the same. Every track gets every frame of the camera, and within
a track each frame goes to one worker. Workers join and leave at any time, in any language; ``python -m waldo.workers``
runs a function in several processes.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import inspect
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf import struct_pb2

from waldo._fork import Guard
from waldo._jpeg import decoder
from waldo._work_source import Dealt, Job, Kept
from waldo.bus import check_name
from waldo.errors import Closed, InvalidRequest, Unavailable, WaldoError
from waldo.frame import Frame, Packet, info_of
from waldo.media.v1 import media_pb2
from waldo.topics import name_of
from waldo.work.v1 import work_pb2

if TYPE_CHECKING:
    from waldo.robot import Robot

log = logging.getLogger("waldo")

_STREAM = "video-jpeg"
_MAX_NAME, _MAX_ERROR, _MAX_RESULT = 64, 1024, (64 << 20) - (64 << 10)
# How long `close` lets the function work on what is there.
_DRAIN_FOR = 5.0
# How deep lists and dicts may lie in one another.
_MAX_DEPTH = 50


class Worker:
    """Works on its share of a track's frames, on a thread of its own, until `close`. See `Robot.work`."""

    def __init__(
        self,
        robot: Robot,
        camera: str,
        track: str,
        do: Callable[[Any], Any],
        format: str = "bgr",
        queue: int = 2,
        lossless: bool = False,
        name: str = "",
    ) -> None:
        if format not in ("bgr", "jpeg"):
            raise InvalidRequest(f'format: {format!r} is neither "bgr" nor "jpeg"')
        if queue < 1:
            raise InvalidRequest(f"queue: {queue} is too little: use 1 or more")
        self._guard = Guard()
        self._decode = decoder() if format == "bgr" else None
        self._do, self._queue = do, queue
        self._name = _printable(name or f"{socket.gethostname()}-{os.getpid()}", _MAX_NAME)
        check_name("camera", camera)
        check_name("track", track)
        named = name_of(robot)
        self._bus, where = robot.bus, f"waldo.v1.{named}.{camera}"
        self._answers = f"{where}.work.{track}"
        #: Frames with a result, frames on which the function failed, and frames dropped because it was behind.
        self.done = self.failed = self.dropped = 0
        #: Results that could not be published because the bus was away.
        self.unanswered = 0
        self._logged = 0.0
        self._changed = threading.Condition()
        self._jobs: collections.deque[Job] = collections.deque()
        self._state = "working"  # then "draining", "ended"
        self._answering: set[asyncio.Task[None]] = set()  # used on the thread of the bus
        self._thread = threading.Thread(target=self._run, name=f"waldo-{camera}-{track}", daemon=True)
        make = Kept if lossless else Dealt
        self._source = make(self._bus, f"{where}.out.{_STREAM}", f"track.{track}", self._put)
        self._hold = self._bus.hold(named, camera, _STREAM, f"work {track}")
        self._thread.start()
        robot.at_close(self.close)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Calls the function: what @robot.work makes can still be used as one."""
        return self._do(*args, **options)

    @property
    def ignored(self) -> int:
        """Messages that were no frames."""
        return self._source.ignored

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the worker is closed, and reports whether it is."""
        self._guard.check()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Leaves the track, and works on the frames that are there, for 5 s at most; what it does not get to is
        dropped, or goes to another worker if frames must not be lost. A function that goes on for longer is not waited
        for."""
        with self._changed:
            if self._state != "working":
                return
            self._state = "draining"
        with contextlib.suppress(WaldoError):
            self._source.drain()
        with self._changed:
            self._state = "drained"
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(_DRAIN_FOR)
        with self._changed:
            self._state = "ended"
            rest, self._jobs = list(self._jobs), collections.deque()
        for job in rest:
            self._give_back(job)
        self._source.close()
        self._hold.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- on the thread of the bus

    def _put(self, job: Job) -> None:
        """Queues a frame; the oldest is dropped if there is no room."""
        with self._changed:
            self._jobs.append(job)
            closed = self._state not in ("working", "draining")
            oldest = self._jobs.popleft() if closed or len(self._jobs) > self._queue else None
            self._changed.notify_all()
        if oldest is None:
            return
        if oldest.done is not None:
            _set(oldest.done, False)
        else:
            self.dropped += 1
            task = asyncio.get_running_loop().create_task(self._drop(oldest))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _drop(self, job: Job) -> None:
        try:
            dropped = work_pb2.Result(outcome=work_pb2.OUTCOME_DROPPED)
            await self._bus.apublish(self._answers, self._stamped(job, dropped))
        except Unavailable:
            self.unanswered += 1

    # --- on the worker's own thread

    def _run(self) -> None:
        loop = asyncio.new_event_loop() if inspect.iscoroutinefunction(self._do) else None
        try:
            while (job := self._take()) is not None:
                self._answer(job, self._work(job, loop))
        finally:
            if loop is not None:
                loop.close()

    def _take(self) -> Job | None:
        with self._changed:
            while not self._jobs and self._state in ("working", "draining"):
                self._changed.wait()
            return self._jobs.popleft() if self._jobs else None

    def _work(self, job: Job, loop: asyncio.AbstractEventLoop | None) -> work_pb2.Result:
        if job.problem:
            return self._failure(job, job.problem)
        try:
            made = self._do(self._picture(job.frame))
            if loop is not None:
                made = loop.run_until_complete(made)
            result = result_of(made)
            if result.ByteSize() > _MAX_RESULT:
                raise ValueError(f"the result has {result.ByteSize()} bytes: {_MAX_RESULT} is the most")
        except BaseException as e:  # the worker goes on, whatever its function does
            return self._failure(job, f"{type(e).__name__}: {e}", e)
        self.done += 1
        return result

    def _picture(self, frame: media_pb2.VideoFrame) -> Frame | Packet:
        info = info_of(frame)
        if self._decode is None:
            return Packet(frame.data, info)
        if info.media_type not in ("", "image/jpeg"):
            raise ValueError(f"the frame is {info.media_type}, not JPEG")
        return Frame(self._decode(frame.data), info)

    def _failure(self, job: Job, text: str, e: BaseException | None = None) -> work_pb2.Result:
        self.failed += 1
        now = time.monotonic()
        if now - self._logged >= 1:
            self._logged = now
            log.warning("failed on frame %d: %s", job.frame.sequence, text, exc_info=e)
        return work_pb2.Result(outcome=work_pb2.OUTCOME_FAILED, error=_printable(text, _MAX_ERROR))

    def _answer(self, job: Job, result: work_pb2.Result) -> None:
        answered = False
        try:
            self._bus.publish(self._answers, self._stamped(job, result))
            answered = True
        except (Unavailable, Closed):
            self.unanswered += 1
        self._settle(job, answered)

    def _stamped(self, job: Job, result: work_pb2.Result) -> work_pb2.Result:
        result.epoch, result.sequence, result.worker = job.frame.epoch, job.frame.sequence, self._name
        result.capture_time.CopyFrom(job.frame.capture_time)
        return result

    def _settle(self, job: Job, answered: bool) -> None:
        """Has a kept frame confirmed, or given to another worker."""
        if job.done is not None:
            with contextlib.suppress(RuntimeError):  # the bus has been closed
                job.done.get_loop().call_soon_threadsafe(_set, job.done, answered)

    def _give_back(self, job: Job) -> None:
        """Answers for a frame that there was no time for."""
        if job.done is None:
            self.dropped += 1
            self._answer(job, work_pb2.Result(outcome=work_pb2.OUTCOME_DROPPED))
        else:
            self._settle(job, False)


def _set(done: asyncio.Future[bool], value: bool) -> None:
    if not done.done():
        done.set_result(value)


def result_of(made: Any) -> work_pb2.Result:
    """Returns the result for what a function returned: a picture (an array of uint8 as OpenCV has them, a Frame or a
    Packet), bytes, or anything that JSON can say; or a tuple of those, one of each."""
    result = work_pb2.Result(outcome=work_pb2.OUTCOME_DONE)
    parts: Iterable[Any] = made if isinstance(made, tuple) else (made,)
    for part in parts:
        if isinstance(part, Packet) or (isinstance(part, np.ndarray) and part.ndim > 1 and part.dtype == np.uint8):
            name, filled = "picture", result.HasField("picture")
            result.picture.CopyFrom(_picture(part))
        elif isinstance(part, (bytes, bytearray, memoryview)):
            name, filled = "bytes", bool(result.data)
            result.data = bytes(part)
        elif part is None:
            continue
        else:
            name, filled = "value", result.HasField("value")
            _fill(result.value, part, 0)
        if filled:
            raise TypeError(f"the tuple has {name} twice: return a list, or one of each")
    return result


def _picture(part: Any) -> media_pb2.VideoFrame:
    frame = media_pb2.VideoFrame(key_frame=True)
    info = getattr(part, "info", None)
    if info is not None and info.capture_time:
        frame.epoch, frame.sequence = info.epoch, info.sequence
        frame.capture_time.FromNanoseconds(round(info.capture_time * 1e9))
    if isinstance(part, Packet):
        frame.format.media_type = part.info.media_type or "image/jpeg"
        frame.format.width_px, frame.format.height_px = part.width, part.height
        frame.key_frame, frame.data = part.key_frame, bytes(part)
        return frame
    if part.ndim != 3 or part.shape[2] != 3:
        raise TypeError(f"a picture has the shape (height, width, 3), blue first, not {part.shape}")
    frame.format.media_type, frame.format.pixel_format = "video/raw", "BGR24"
    frame.format.height_px, frame.format.width_px = part.shape[:2]
    frame.data = part.tobytes()
    return frame


def _fill(value: struct_pb2.Value, made: Any, depth: int) -> None:
    """Writes what JSON can say, and numpy's numbers and arrays."""
    if depth > _MAX_DEPTH:
        raise TypeError("the result is nested too deeply")
    if isinstance(made, (np.generic, np.ndarray)):
        made = made.tolist()
    if made is None:
        value.null_value = struct_pb2.NULL_VALUE
    elif isinstance(made, bool):
        value.bool_value = made
    elif isinstance(made, (int, float)):
        value.number_value = made
    elif isinstance(made, str):
        value.string_value = made
    elif isinstance(made, dict):
        value.struct_value.SetInParent()
        for key, each in made.items():
            if not isinstance(key, str):
                raise TypeError(f"the keys of a result are texts, not {type(key).__name__}")
            _fill(value.struct_value.fields[key], each, depth + 1)
    elif isinstance(made, (list, tuple)):
        value.list_value.SetInParent()
        for each in made:
            _fill(value.list_value.values.add(), each, depth + 1)
    else:
        raise TypeError(f"a result cannot be a {type(made).__name__}: return a picture, bytes, or what JSON can say")


def _printable(text: str, most: int) -> str:
    """Returns text for people, of at most so many bytes."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)
    return shown.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


if __name__ == "__main__":
    from waldo._work_main import main

    raise SystemExit(main())
