"""Robots and their devices, with real programs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import waldo
from tests.live import Heard, Place, until
from waldo import _address


def test_devices_are_found(rover: Place) -> None:
    with rover.robot() as robot:
        assert robot.device("front").kind == "camera"
        until("all devices", lambda: [d.name for d in robot.devices()] == ["front", "motors", "pad", "voice"])
        assert robot.robot == "rover"


def test_a_device_that_was_never_there_is_an_error_that_names_the_others(rover: Place) -> None:
    with rover.robot(timeout=0.5) as robot:
        until("all devices", lambda: len(robot.devices()) == 4)
        with pytest.raises(waldo.Unavailable, match="nobody is not running; running are front, motors"):
            robot.device("nobody")
        with pytest.raises(waldo.Unavailable, match="nobody is not running"):
            next(iter(robot.camera("nobody")))


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("http://robot:4222", "the address of the bus"),
        ("nats://", "the address of the bus"),
        ("nats://robot:port", "the address of the bus"),
        ("robot", "neither nats://host:port nor host:port"),
        ("nats:viewer:secret@robot", "address: 'robot' is neither"),
        ("robot:0", "neither"),
        ("robot:70000", "neither"),
    ],
)
def test_addresses_that_are_none(address: str, text: str) -> None:
    with pytest.raises(waldo.InvalidRequest, match=text):
        waldo.Robot(address)


@pytest.mark.parametrize("name", ["", "Front", "front_1", "a.b", "*", "a" * 64])
def test_names_that_are_none(rover: Place, name: str) -> None:
    with rover.robot() as robot, pytest.raises(waldo.InvalidRequest, match="is not a name"):
        robot.device(name)


def test_a_bus_that_is_not_there(place: Place) -> None:
    with place.robot(timeout=0.5) as robot:
        with pytest.raises(waldo.Unavailable, match=f"the bus at {place.nats} is not reachable"):
            robot.device("front")
        with pytest.raises(waldo.Unavailable, match="is not reachable"):
            robot.devices()


def test_the_bus_and_the_device_may_come_later(place: Place) -> None:
    with place.robot() as robot:
        frames = robot.camera("front").frames()
        place.bus()
        place.device("camera", "front", "--width", "320", "--height", "240")
        assert frames.take().shape == (240, 320, 3)


def test_one_robot_of_several_is_picked(place: Place) -> None:
    place.bus()
    for name in ("rover", "crane"):
        place.device("camera", "front", robot=name).says("ready")
    place.device("camera", "hook", robot="crane").says("ready")
    with place.robot(robot="crane") as robot:
        assert robot.device("front").robot == "crane"
    with place.robot() as robot, pytest.raises(waldo.InvalidRequest, match="several robots on the bus, crane, rover"):
        robot.device("front")
    with place.robot() as robot:
        assert robot.device("hook").robot == "crane"


def test_one_device_without_a_bus(rover: Place) -> None:
    with rover.robot() as robot:
        address = robot.device("front").grpc_address
    with rover.robot(address) as robot:
        assert [d.name for d in robot.devices()] == ["front"]
        assert next(iter(robot.camera("front"))).shape == (240, 320, 3)
        with pytest.raises(waldo.NotFound, match="is 'front', not 'rear'"):
            robot.device("rear")
        with pytest.raises(waldo.Unavailable, match="without a bus"):
            _ = robot.bus


def test_the_token(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = Place(tmp_path_factory.mktemp("token"), token="secret")
    try:
        place.bus()
        place.device("camera", "front")
        with place.robot() as robot:
            assert next(iter(robot.camera("front"))).ndim == 3
            address = robot.device("front").grpc_address
        with place.robot(token="wrong", timeout=0.5) as robot:
            with pytest.raises(waldo.Unavailable, match="the token is missing, wrong or revoked.*WALDO_TOKEN"):
                robot.device("front")
        with place.robot(address, token="wrong") as robot:
            with pytest.raises(waldo.NotAllowed, match="WALDO_TOKEN"):
                robot.device("front")
            with pytest.raises(waldo.NotAllowed, match="WALDO_TOKEN"):
                next(iter(robot.camera("front")))
    finally:
        place.close()


@pytest.fixture
def later(tmp_path: Path) -> Iterator[Place]:
    """A place where nothing runs yet, so that a test can listen before anything happens."""
    place = Place(tmp_path)
    yield place
    place.close()


def test_what_happens_is_told(later: Place) -> None:
    with later.robot() as robot:
        heard = Heard(robot)
        later.bus()
        assert "connected to nats://" in heard.wait("bus", "connected").text


def test_a_callback_that_fails_or_blocks_holds_nothing_up(later: Place) -> None:
    with later.robot() as robot:
        seen: list[waldo.Event] = []
        robot.on_event(lambda event: 1 / 0)
        robot.on_event(seen.append)
        later.bus()
        until("the event", lambda: seen)


def test_a_closed_robot(rover: Place) -> None:
    robot = rover.robot()
    camera, frames = robot.camera("front"), robot.camera("front").frames()
    frames.take()
    robot.close()
    robot.close()
    assert list(frames) == []
    for use in (robot.devices, lambda: robot.camera("front"), lambda: robot.device("front"), camera.snapshot):
        with pytest.raises(waldo.Closed):
            use()


FORKED = """
import os, sys, waldo
robot = waldo.Robot(sys.argv[1])
frames = robot.camera("front").frames()
frames.take()
child = os.fork()
if child == 0:
    wrong = 0
    for use in (lambda: frames.take(), lambda: robot.device("front"), lambda: robot.camera("front"),
                lambda: waldo.Robot(sys.argv[1])):
        try:
            use()
            wrong += 1
        except waldo.ForkError:
            pass
    os._exit(wrong)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
frames.take()
robot.close()
"""


def test_a_forked_child_is_told_and_the_parent_goes_on(rover: Place) -> None:
    out = subprocess.run([sys.executable, "-c", FORKED, rover.nats], capture_output=True, text=True, timeout=120)
    assert (out.returncode, out.stdout) == (0, "0\n"), out.stderr


FORK_FIRST = """
import os, sys, waldo
waldo.Robot  # is imported, and not used yet
child = os.fork()
with waldo.Robot(sys.argv[1]) as robot:
    assert robot.camera("front").frames().take().ndim == 3
if child == 0:
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_that_was_forked_before_works(rover: Place) -> None:
    out = subprocess.run([sys.executable, "-c", FORK_FIRST, rover.nats], capture_output=True, text=True, timeout=120)
    assert (out.returncode, out.stdout) == (0, "0\n"), out.stderr


NOT_CLOSED = """
import sys, waldo
robot = waldo.Robot(sys.argv[1])
for frame in robot.camera("front"):
    break
held = robot.camera("front").frames()
held.take()
"""


def test_a_program_that_closes_nothing_ends(rover: Place) -> None:
    out = subprocess.run([sys.executable, "-c", NOT_CLOSED, rover.nats], capture_output=True, text=True, timeout=120)
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:7101", True),
        ("127.1.2.3:1", True),
        ("[::1]:7101", True),
        ("localhost:7101", True),
        ("10.0.0.7:7101", False),
        ("[fd00::7]:7101", False),
        ("robot:7101", False),
    ],
)
def test_which_addresses_only_their_own_machine_reaches(address: str, loopback: bool) -> None:
    assert _address.is_loopback(address) is loopback


def test_the_token_does_not_go_to_whoever_listens_here_where_a_device_elsewhere_does(
    rover: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rover.robot(timeout=0.1) as robot:
        assert robot.bus.is_here()
        monkeypatch.setattr(robot.bus, "is_here", lambda: False)
        until("the device is there", lambda: robot.device("front", timeout=60))
        with pytest.raises(waldo.Unavailable, match=r"front listens at 127\.0\.0\.1.*grpc: \":7101\""):
            robot.camera("front").frames().take(60)
