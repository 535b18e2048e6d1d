"""Driving an actuator that demands that its driver sees a camera."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

import waldo
from tests.conftest import MOTORS
from tests.live import Place, until


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A robot whose motors want their driver to see the camera in front."""
    place = Place(tmp_path_factory.mktemp("watched"))
    motors = MOTORS.replace("right: 0}}", "right: 0}, see: front, blind: {slow: 1s, stop: 1500ms}}")
    place.up(
        f"""front: {{kind: camera, source: test, width: 320, height: 240, fps: 30}}
        motors: {{kind: serial, port: sim, {motors}}}"""
    )
    yield place
    place.close()


def verdict(drive: waldo.Drive) -> str:
    try:
        drive.send(left=50, right=50)
    except waldo.CommandRefused as e:
        return e.verdict
    return "ACCEPTED"


def test_a_program_that_sees_nothing_is_blind(watched: Place) -> None:
    with watched.robot() as robot, robot.drive("motors") as drive:
        assert verdict(drive) == "BLIND"
        drive.stop()  # standing still is always allowed
        sight = drive.sight
        assert sight is not None
        assert (sight.camera, sight.speed, sight.slow, sight.stop) == ("front", 0, 1, 1.5)
        assert drive.held


def _by_loop(camera: waldo.Camera[waldo.Frame], _: waldo.Drive) -> object:
    return next(iter(camera))


def _by_read(camera: waldo.Camera[waldo.Frame], _: waldo.Drive) -> object:
    return camera.read()[1]


def _by_snapshot(camera: waldo.Camera[waldo.Frame], _: waldo.Drive) -> object:
    return camera.snapshot()


def _by_subscription(camera: waldo.Camera[waldo.Frame], drive: waldo.Drive) -> object:
    subscription = camera.subscribe()
    frame = subscription.take()
    camera.unsubscribe(subscription)
    drive.saw(frame)
    return frame


@pytest.mark.parametrize("see", [_by_loop, _by_read, _by_snapshot, _by_subscription])
def test_what_is_taken_from_the_camera_is_seen(watched: Place, see: Callable[..., object]) -> None:
    with watched.robot() as robot, robot.drive("motors") as drive:
        camera = robot.camera("front", width=160)

        def accepted() -> bool:
            assert see(camera, drive) is not None
            return verdict(drive) == "ACCEPTED"

        until("a command is accepted", accepted)
        drive.stop()
        sight = drive.sight
        assert sight is not None and sight.age is not None and sight.age >= 0


def test_a_command_may_name_its_picture(watched: Place) -> None:
    with watched.robot() as robot, robot.drive("motors") as drive:
        camera = robot.camera("front", width=160)

        def accepted() -> bool:
            ok, frame = camera.read()
            assert ok
            robot.seen.clear()
            try:
                drive.send_message({"left": 50, "right": 50}, seen=frame)
            except waldo.CommandRefused:
                return False
            return True

        until("a command is accepted", accepted)
        drive.stop()
        for wrong in ("now", -1, object(), 1e300):
            with pytest.raises(waldo.InvalidRequest, match="seen"):
                drive.send_message({"left": 1, "right": 1}, seen=wrong)
        with pytest.raises(waldo.CommandRefused) as refused:
            drive.send_message({"left": 1, "right": 1}, seen=frame_of_another_camera())
        assert refused.value.verdict == "BLIND"


def frame_of_another_camera() -> float:
    """Returns a time at which this camera captured nothing."""
    return 1_700_000_000.0


def test_the_robot_stands_still_while_its_driver_is_blind(watched: Place) -> None:
    with watched.robot() as robot, robot.drive("motors") as drive, robot.camera("front", width=160).frames() as loop:
        ended = threading.Event()

        def look() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    loop.take(0.2)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            until("it drives", lambda: verdict(drive) == "ACCEPTED")
            pid = robot.device("front").pid
            os.kill(pid, signal.SIGSTOP)
            try:
                until("it is blind", lambda: verdict(drive) == "BLIND")
            finally:
                os.kill(pid, signal.SIGCONT)
            assert drive.held
            until("it drives again", lambda: verdict(drive) == "ACCEPTED")
        finally:
            ended.set()
            looking.join()


def test_an_actuator_that_does_not_ask_is_told_nothing(rover: Place) -> None:
    with rover.robot() as robot, robot.drive("motors") as drive:
        assert robot.camera("front").read()[0]
        assert robot.seen["front"] > 0
        assert not drive.header().HasField("seen")
        assert drive.sight is None
        drive.saw(1.0)
        drive.stop()


def test_times_of_pictures_keep_their_microseconds(watched: Place) -> None:
    with watched.robot() as robot, robot.drive("motors") as drive:
        drive.saw(1_700_000_000.123456)
        assert drive.header().seen.ToMicroseconds() == 1_700_000_000_123_456
