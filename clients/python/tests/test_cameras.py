"""Cameras, with real programs."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from typing import Any

import pytest

import waldo
from tests.live import Heard, Place, until
from waldo.reading import Loop


def test_pictures_are_arrays_that_know_where_they_come_from(rover: Place) -> None:
    with rover.robot() as robot:
        device = robot.device("front")
        before = time.time()
        frames = [frame for frame, _ in zip(robot.camera("front"), range(3))]
    for frame in frames:
        assert (frame.shape, str(frame.dtype), frame.flags.writeable) == ((240, 320, 3), "uint8", True)
        assert (frame.epoch, frame.key_frame) == (device.epoch, True)
        assert before - 60 < frame.capture_time <= time.time()
        assert frame.age >= 0
    first = frames[0]
    assert [f.sequence - first.sequence - (f.dropped - first.dropped) for f in frames] == [0, 1, 2]
    assert frames[0].std() > 10, "a test card has more than one colour"


def test_what_is_computed_of_a_picture_keeps_its_attributes(rover: Place) -> None:
    with rover.robot() as robot:
        frame = next(iter(robot.camera("front")))
    for made in (frame[10:20, ::2], frame.copy(), frame // 2, pickle.loads(pickle.dumps(frame))):
        assert isinstance(made, waldo.Frame)
        assert (made.epoch, made.sequence, made.capture_time) == (frame.epoch, frame.sequence, frame.capture_time)
    frame[:] = 0
    assert not frame.any()


@pytest.mark.parametrize(
    ("format", "shape"),
    [
        ("bgr", (120, 160, 3)),
        ("yuyv", (120, 160, 2)),
        ("i420", (180, 160)),
        ("nv12", (180, 160)),
    ],
)
def test_raw_formats(rover: Place, format: str, shape: tuple[int, ...]) -> None:
    with rover.robot() as robot:
        camera = robot.camera("front", width=160, format=format)
        assert next(iter(camera)).shape == shape
        assert camera.snapshot().shape == shape


def test_a_planar_picture_of_an_odd_size_is_flat(rover: Place) -> None:
    with rover.robot() as robot:
        frame = next(iter(robot.camera("front", width=161, height=121, format="i420")))
        assert frame.shape == (161 * 121 + 2 * 81 * 61,)


@pytest.mark.parametrize(
    ("format", "beginning"), [("jpeg", b"\xff\xd8\xff"), ("h264", b"\x00\x00\x00\x01"), ("vp8", b"")]
)
def test_encoded_formats(rover: Place, format: str, beginning: bytes) -> None:
    with rover.robot() as robot:
        first = next(iter(robot.camera("front", width=160, format=format)))
        assert isinstance(first, waldo.Packet)
        assert isinstance(first, bytes)
        assert first.startswith(beginning)
        assert (first.width, first.height, first.key_frame) == (160, 120, True)
        again = pickle.loads(pickle.dumps(first))
        assert (again, again.sequence) == (first, first.sequence)


def test_a_lower_rate_is_made_by_the_camera(rover: Place) -> None:
    with rover.robot() as robot, robot.camera("front", fps=5).frames() as frames:
        times = [frames.take().capture_time for _ in range(4)]
        assert min(b - a for a, b in zip(times, times[1:])) > 0.12


def test_formats_and_sizes_that_are_none(rover: Place) -> None:
    with rover.robot() as robot:
        with pytest.raises(waldo.InvalidRequest, match="'rgb' is not one of bgr"):
            robot.camera("front", format="rgb")
        with pytest.raises(waldo.InvalidRequest, match="width_px"):
            next(iter(robot.camera("front", width=-1)))
        with pytest.raises(waldo.InvalidRequest, match="width_px"):
            robot.camera("front", width=100_000).snapshot()
        camera = robot.camera("motors")
        with pytest.raises(waldo.Unsupported, match="CameraService"):
            next(iter(camera))
        assert camera.state == "failed"


def test_read_and_latest(rover: Place) -> None:
    with rover.robot() as robot, robot.camera("front") as camera:
        assert camera.latest() is None
        ok, first = camera.read()
        ok2, second = camera.read()
        assert (ok, ok2) == (True, True)
        assert second.sequence > first.sequence
        until("a newer picture", lambda: (newest := camera.latest()) is not None and newest.sequence > second.sequence)
        camera.close()
        assert camera.read() == (False, None)


def test_read_gives_up(place: Place) -> None:
    place.bus()
    with place.robot() as robot:
        assert robot.camera("front").read(timeout=0.2) == (False, None)


def take_until(frames: Loop[Any], sequence: int) -> Any:
    while (frame := frames.take()).sequence < sequence:
        pass
    return frame


@pytest.mark.parametrize("format", ["bgr", "jpeg"])
def test_a_slow_loop_gets_the_newest_and_is_told_what_it_lost(rover: Place, format: str) -> None:
    with rover.robot() as robot:
        camera = robot.camera("front", format=format)
        slow, fast = camera.frames(), camera.frames()
        first = frame = slow.take()
        for taken in range(1, 4):
            seen = take_until(fast, frame.sequence + 20)
            frame = slow.take()
            assert frame.sequence >= seen.sequence - 3, "what waits is never more than three pictures"
            assert frame.sequence - first.sequence == frame.dropped - first.dropped + taken


def test_a_slow_loop_over_h264_resumes_at_a_key_frame(rover: Place) -> None:
    with rover.robot() as robot:
        slow, fast = robot.camera("front", format="h264").frames(), robot.camera("front", format="h264").frames()
        before = slow.take()
        take_until(fast, fast.take().sequence + 60)
        while (packet := slow.take()).dropped == 0:
            assert packet.sequence == before.sequence + 1
            before = packet
        assert packet.key_frame
        assert packet.sequence - before.sequence - 1 == packet.dropped


def test_async_loops(rover: Place) -> None:
    async def main() -> list[float]:
        times = []
        async for frame in robot.camera("front"):
            times.append(frame.capture_time)
            if len(times) == 3:
                break
        return times

    with rover.robot() as robot:
        one, other = asyncio.run(main()), asyncio.run(main())
        assert one == sorted(set(one))
        assert other[0] > one[-1]


def test_an_async_wait_can_be_given_up(place: Place) -> None:
    async def main() -> None:
        frames = robot.camera("front").frames()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(frames.__anext__(), 0.05)

    place.bus()
    with place.robot() as robot:
        asyncio.run(main())


def test_an_event_loop_that_was_closed_while_somebody_waited(rover: Place) -> None:
    with rover.robot() as robot:
        frames = robot.camera("front").frames()
        loop = asyncio.new_event_loop()
        frames.take()
        waiting = loop.create_task(frames.__anext__())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        assert frames.take().ndim == 3
        del waiting


def test_a_loop_in_one_thread_is_ended_from_another(rover: Place) -> None:
    with rover.robot() as robot:
        camera = robot.camera("front")
        begun = threading.Event()

        def loop() -> None:
            for _ in camera:
                begun.set()

        looping = threading.Thread(target=loop)
        looping.start()
        begun.wait()
        camera.close()
        looping.join()
        assert camera.state == "idle"


def test_a_camera_that_crashes_is_back(rover: Place) -> None:
    with rover.robot() as robot:
        heard = Heard(robot)
        frames = robot.camera("front").frames()
        first = frames.take()
        rover.crash(robot, "front")
        while (frame := frames.take()).epoch == first.epoch:
            pass
        assert heard.wait("front", "lost").text.startswith("lost its pictures")
        heard.wait("front", "reading")
        assert frame.sequence < 30, "the loop begins with the new life, not with old pictures"


def test_a_camera_goes_on_without_the_bus_and_knows_the_way_when_it_is_back(place: Place) -> None:
    bus = place.bus()
    device = place.device("camera", "front", "--width", "320", "--height", "240")
    with place.robot() as robot:
        heard = Heard(robot)
        frames = robot.camera("front").frames()
        first = frames.take()
        bus.kill()
        heard.wait("bus", "lost")
        assert take_until(frames, frames.take().sequence + 20).epoch == first.epoch, "gRPC needs no bus"
        device.kill()
        heard.wait("front", "lost")
        place.device("camera", "front", "--width", "320", "--height", "240")
        place.bus()
        heard.wait("bus", "connected")
        assert frames.take().epoch != first.epoch


def test_one_call_for_all_loops_and_none_without(rover: Place) -> None:
    with rover.robot() as robot:
        camera = robot.camera("front")
        assert camera.state == "idle"
        loops = [camera.frames() for _ in range(3)]
        assert len({loop.take().epoch for loop in loops}) == 1
        assert camera.state == "live"
        assert sum(t.name == "waldo-front-pictures" for t in threading.enumerate()) == 1
        for loop in loops:
            loop.close()
        assert camera.state == "idle"


def test_a_camera_whose_hardware_is_away_is_waited_for(place: Place) -> None:
    place.bus()
    place.device("camera", "front", "--source", "/dev/video99")
    with place.robot(timeout=0.1) as robot:
        until("the device is there", lambda: robot.device("front", timeout=60))
        loop = robot.camera("front").frames()
        with pytest.raises(TimeoutError):
            loop.take(2)
        loop.close()
