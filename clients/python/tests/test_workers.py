"""Workers and results on a real bus."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats.js
import nats.js.errors
import pytest

import waldo
from tests.live import SOON, Place, until
from waldo.media.v1 import media_pb2

ROBOT = "rover"


class Camera:
    """Publishes frames as a camera does, but only when the test wants it."""

    def __init__(self, place: Place) -> None:
        self._robot = waldo.Robot(place.nats, robot=ROBOT)
        self.sequence, self.epoch = 0, time.time_ns()
        until("the bus", lambda: self._robot.bus.connected)

    def publish(self, number: int, data: bytes = b"jpeg", every: float = 0) -> None:
        for _ in range(number):
            frame = media_pb2.VideoFrame(epoch=self.epoch, sequence=self.sequence, data=data, key_frame=True)
            frame.capture_time.FromNanoseconds(time.time_ns())
            frame.format.media_type = "image/jpeg"
            self._robot.bus.publish(f"waldo.v1.{ROBOT}.front.out.video-jpeg", frame)
            self.sequence += 1
            time.sleep(every)

    def close(self) -> None:
        self._robot.close()


@pytest.fixture
def camera(place: Place) -> Iterator[Camera]:
    place.bus()
    found = Camera(place)
    yield found
    found.close()


@pytest.fixture
def robot(camera: Camera, place: Place) -> Iterator[waldo.Robot]:
    with waldo.Robot(place.nats, robot=ROBOT) as found:
        yield found


def sequences(results: waldo.Results, last: int) -> list[int]:
    """Returns the numbers of the results up to one."""
    got: list[int] = []
    while not got or got[-1] < last:
        got.append(results.take(SOON).sequence)
    return got


def test_each_frame_goes_to_one_worker_of_each_track(camera: Camera, place: Place, robot: waldo.Robot) -> None:
    faces, lines = robot.results("front", "faces", buffer_s=SOON), robot.results("front", "lines", buffer_s=SOON)
    with waldo.Robot(place.nats, robot=ROBOT) as other:
        workers = [
            r.work("front", track, lambda frame: frame.sequence, format="jpeg", queue=1000)
            for r, track in ((robot, "faces"), (other, "faces"), (robot, "lines"))
        ]
        camera.publish(200)
        for results in (faces, lines):
            assert sequences(results, 199) == list(range(200))
            assert results.counts.delivered == 200 and results.counts.missing + results.counts.duplicate == 0
        assert workers[0].done and workers[1].done and workers[0].done + workers[1].done == workers[2].done == 200


def test_what_the_function_does(camera: Camera, robot: waldo.Robot) -> None:
    def work(frame: waldo.Packet) -> Any:
        if frame.sequence == 0:
            raise ValueError("no \x1b[31mfaces")
        if frame.sequence == 1:
            raise SystemExit(3)
        if frame.sequence == 2:
            return object()
        return {"bytes": len(frame)}, frame

    results = robot.results("front", "faces", buffer_s=SOON, all=True)
    worker = robot.work("front", "faces", work, format="jpeg", queue=10, name="one")
    camera.publish(4)
    got = [results.take(SOON) for _ in range(4)]
    assert [r.outcome for r in got] == ["failed", "failed", "failed", "done"]
    assert [r.error for r in got] == [
        "ValueError: no \\x1b[31mfaces",
        "SystemExit: 3",
        "TypeError: a result cannot be a object: return a picture, bytes, or what JSON can say",
        "",
    ]
    assert got[3].value == {"bytes": 4} and got[3].worker == "one" and got[3].epoch == camera.epoch
    assert isinstance(got[3].picture, waldo.Packet) and got[3].picture == b"jpeg" and 0 < got[3].age < SOON
    assert (worker.done, worker.failed, results.counts.failed, results.counts.delivered) == (1, 3, 3, 4)


def test_a_worker_that_is_behind_drops_the_oldest(camera: Camera, robot: waldo.Robot) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(frame: waldo.Packet) -> int:
        begun.set()
        assert go_on.wait(SOON)
        return frame.sequence

    results = robot.results("front", "faces", buffer_s=SOON)
    worker = robot.work("front", "faces", work, format="jpeg")
    camera.publish(1)
    assert begun.wait(SOON)
    camera.publish(49)
    until("the others are dropped", lambda: worker.dropped == 47)
    go_on.set()
    assert sequences(results, 49) == [0, 48, 49]
    assert results.counts.dropped == 47


@pytest.mark.parametrize("lossless", [False, True])
def test_leaving_loses_nothing(camera: Camera, place: Place, robot: waldo.Robot, lossless: bool) -> None:
    def work(frame: waldo.Packet) -> int:
        time.sleep(0.002)
        return frame.sequence

    def join(r: waldo.Robot) -> waldo.Worker:
        worker: waldo.Worker = r.work("front", "faces", work, format="jpeg", queue=1000, lossless=lossless)
        return worker

    results = robot.results("front", "faces", buffer_s=SOON)
    with waldo.Robot(place.nats, robot=ROBOT) as other:
        join(robot)
        if lossless:  # the group begins with its first member
            workers(camera, results, 1)
        publishing = threading.Thread(target=camera.publish, args=(200, b"jpeg", 0.003))
        publishing.start()
        while publishing.is_alive():
            worker = join(other)
            until("it has worked", lambda: worker.done > 5 or not publishing.is_alive())  # noqa: B023
            worker.close()
            assert worker.wait(0)
        publishing.join()
        got = sequences(results, camera.sequence - 1)
        assert got == list(range(got[0], camera.sequence)) and results.counts.missing + results.counts.dropped == 0


def test_async_functions_and_loops(camera: Camera, robot: waldo.Robot) -> None:
    async def work(frame: waldo.Packet) -> int:
        await asyncio.sleep(0)
        return frame.sequence

    async def first(results: waldo.Results, number: int) -> list[Any]:
        got = []
        async for r in results:
            got.append(r.value)
            if len(got) == number:
                break
        return got

    worker = robot.work("front", "faces", queue=100, format="jpeg")(work)
    assert asyncio.iscoroutine(made := worker(None)) and made.close() is None and not worker.wait(0)
    results = robot.results("front", "faces", buffer_s=SOON)
    camera.publish(20)
    assert asyncio.run(first(results, 20)) == list(range(20))
    results.close()
    assert list(results) == []


def test_the_bus_restarts(camera: Camera, place: Place, robot: waldo.Robot) -> None:
    for lossless, track in ((False, "faces"), (True, "lines")):
        robot.work("front", track, lambda frame: frame.sequence, format="jpeg", queue=100, lossless=lossless)
    faces, lines = robot.results("front", "faces", buffer_s=0.05), robot.results("front", "lines", buffer_s=0.05)
    place.programs[0].kill()
    until("the bus is missed", lambda: not robot.bus.connected)
    place.bus()

    def works(results: waldo.Results) -> bool:
        try:
            camera.publish(1)
            return bool(results.take(0.1).value >= 0)
        except (TimeoutError, waldo.Unavailable):
            return False

    until("frames are worked on again", lambda: works(faces))
    until("frames are kept again", lambda: works(lines))


def test_a_server_that_cannot_keep_frames(robot: waldo.Robot, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> None:
        raise nats.js.errors.ServiceUnavailableError

    monkeypatch.setattr(nats.js.JetStreamContext, "stream_info", refuse)
    until("the bus", lambda: robot.bus.connected)
    with pytest.raises(waldo.Unavailable, match="has no JetStream"):
        robot.work("front", "faces", print, format="jpeg", lossless=True)


def test_memory_that_is_reserved_for_nobody(robot: waldo.Robot) -> None:
    until("the bus", lambda: robot.bus.connected)

    async def reserve(name: str, group: str) -> None:
        js, api = robot.bus.client().jetstream(), nats.js.api
        stream = api.StreamConfig(
            name=name,
            subjects=[name],
            max_bytes=100 << 20,
            storage=api.StorageType.MEMORY,
            retention=api.RetentionPolicy.INTEREST,
        )
        await js.add_stream(stream)
        await js.add_consumer(name, api.ConsumerConfig(durable_name=group, ack_policy=api.AckPolicy.EXPLICIT))

    async def release(name: str, group: str) -> None:
        await robot.bus.client().jetstream().delete_consumer(name, group)

    for name in ("waldo_v1_used", "waldo_v1_left"):
        robot.bus.run(reserve(name, "track_a"))
    with pytest.raises(waldo.Unavailable, match="no memory left"):
        robot.work("front", "faces", print, format="jpeg", lossless=True)
    robot.bus.run(release("waldo_v1_left", "track_a"))
    robot.work("front", "faces", print, format="jpeg", lossless=True)
    names = robot.bus.run(names_of_streams(robot))
    assert sorted(names) == [f"waldo_v1_{ROBOT}_front_out_video-jpeg", "waldo_v1_used"]


async def names_of_streams(robot: waldo.Robot) -> list[str]:
    return [s.config.name or "" for s in await robot.bus.client().jetstream().streams_info()]


FUNCTION = """
import os, time

def find(frame):
    time.sleep(0.005)
    return os.getpid()
"""


@pytest.fixture
def crew(camera: Camera, place: Place) -> Iterator[Any]:
    """Starts processes of workers."""
    (place.folder / "faces.py").write_text(FUNCTION)
    started: list[subprocess.Popen[bytes]] = []

    def start(*args: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "waldo.workers", "faces:find", "--camera", "front", "--track", "faces"]
        options = ["--nats", place.nats, "--robot", ROBOT, "--format", "jpeg", "--queue", "100"]
        process = subprocess.Popen([*command, *options, *args], cwd=place.folder)
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        assert process.wait(SOON) == 0


def workers(camera: Camera, results: waldo.Results, number: int) -> set[int]:
    """Waits until so many processes work, and returns their ids."""
    deadline, found = time.monotonic() + SOON, set[int]()
    while len(found) < number:
        assert time.monotonic() < deadline, f"working are {found}"
        camera.publish(1)
        try:
            found.add(int(results.take(0.1).value))
        except TimeoutError:
            pass
    return found


def test_processes_are_replaced(camera: Camera, robot: waldo.Robot, crew: Any) -> None:
    results = robot.results("front", "faces", buffer_s=0.1)
    crew("--processes", "2")
    before = workers(camera, results, 2)
    os.kill(min(before), signal.SIGKILL)
    until("another one works", lambda: workers(camera, results, 1) - before)


def test_kept_frames_outlive_a_process(camera: Camera, robot: waldo.Robot, crew: Any) -> None:
    results = robot.results("front", "faces", buffer_s=SOON)
    crew("--processes", "2", "--lossless")
    victim = min(workers(camera, results, 2))
    camera.publish(100)
    os.kill(victim, signal.SIGKILL)
    camera.publish(20)
    got = sequences(results, camera.sequence - 1)
    assert got == list(range(got[0], camera.sequence)) and results.counts.missing == 0


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("faces", "MODULE:FUNCTION"),
        ("nowhere:find", "No module named"),
        ("os:path", "not a function"),
        ("os:x", "no attribute"),
    ],
)
def test_bad_functions(tmp_path: Path, function: str, error: str) -> None:
    options = ["--camera", "front", "--track", "faces", "--processes", "1"]
    command = [sys.executable, "-m", "waldo.workers", function, *options]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SOON)
    assert found.returncode == 1 and error in found.stderr and "Traceback" not in found.stderr


def test_bad_arguments(robot: waldo.Robot) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"camera": "Front"}, "camera"),
        ({"track": "two words"}, "track"),
        ({"format": "png"}, "format"),
        ({"queue": 0}, "queue"),
    ]
    for arguments, message in refused:
        with pytest.raises(waldo.InvalidRequest, match=message):
            robot.work(**{"camera": "front", "track": "faces", "do": print, "format": "jpeg", **arguments})
    with pytest.raises(waldo.InvalidRequest, match="buffer_s"):
        robot.results("front", "faces", buffer_s=0)


def test_a_real_camera(place: Place) -> None:
    """Frames of a camera, decoded, and its results with the frames in time."""
    place.up("front: {kind: camera, source: test, width: 320, height: 240, fps: 30}")
    with place.robot() as robot:
        robot.work("front", "sizes", lambda frame: [*frame.shape, str(frame.dtype)])
        with robot.results("front", "sizes") as results:
            first = results.take(SOON)
            assert first.value == [240, 320, 3, "uint8"] and 0 < first.age < SOON
        with waldo.time_ordered(1, {"a": robot.camera("front"), "b": robot.results("front", "sizes")}) as both:
            seen: dict[str, int] = {}
            before = 0.0
            while len(seen) < 2 or min(seen.values()) < 10:
                name, thing = both.take(SOON)
                assert thing.capture_time >= before
                before, seen[name] = thing.capture_time, seen.get(name, 0) + 1
