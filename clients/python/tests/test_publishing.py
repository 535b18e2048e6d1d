"""Programs that are cameras and devices, on real robots."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import re
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import waldo
from tests.live import SOON, Heard, Place, until
from waldo.device.v1 import device_pb2
from waldo.peer.v1 import peer_pb2, peer_pb2_grpc

ORANGE = (11, 129, 242)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A robot that tests share, which end what they publish."""
    found = Place(tmp_path_factory.mktemp("stage"))
    found.up("front: {kind: camera, source: test, width: 64, height: 48, fps: 5}\nguest: {kind: peer}")
    yield found
    found.close()


@pytest.fixture
def robot(stage: Place) -> Iterator[waldo.Robot]:
    with stage.robot() as found:
        until("the slots are gone", lambda: {d.name for d in found.devices()} == {"front", "guest"})
        yield found


def orange(height: int = 48, width: int = 64) -> np.ndarray[Any, Any]:
    return np.full((height, width, 3), ORANGE, np.uint8)


def endless(value: Any) -> Callable[[], Iterator[Any]]:
    """Returns a function that yields a value 50 times a second."""

    def frames() -> Iterator[Any]:
        while True:
            yield value() if callable(value) else value
            time.sleep(0.02)

    return frames


def ready(robot: waldo.Robot, name: str) -> device_pb2.Device:
    def is_ready() -> device_pb2.Device | None:
        try:
            d = robot.device(name, 0.1)
        except waldo.Unavailable:
            return None
        return d if d.state == device_pb2.DEVICE_STATE_READY else None

    found = until(f"{name} is ready", is_ready)
    assert found is not None
    return found


def away(robot: waldo.Robot, name: str, reason: str) -> None:
    def told() -> bool:
        try:
            return reason in robot.device(name, 0.1).state_reason
        except waldo.Unavailable:
            return False

    until(f"{name} is away: {reason}", told)


def gone(robot: waldo.Robot, name: str) -> None:
    until(f"{name} is gone", lambda: name not in {d.name for d in robot.devices()})


def is_orange(frame: Any) -> bool:
    middle = frame[frame.shape[0] // 2, frame.shape[1] // 2].astype(int)
    return bool(np.abs(middle - ORANGE).max() < 12)


def messages_of(robot: waldo.Robot, name: str) -> Iterator[peer_pb2.Message]:
    stub = robot.stub(name, peer_pb2_grpc.PeerServiceStub)
    for step in stub.StreamMessages(peer_pb2.StreamMessagesRequest()):
        yield step.message


def got_from(got: Iterator[peer_pb2.Message], notes: waldo.Publication) -> Iterator[peer_pb2.Message]:
    """Returns got, once it has begun."""
    begun = threading.Event()

    def knock() -> None:
        while not begun.wait(0.05):
            notes.put({"knock": True})

    knocking = threading.Thread(target=knock)
    knocking.start()
    first = next(got)
    begun.set()
    knocking.join()
    return itertools.chain([first], got)


# --- cameras


def test_a_function_is_a_camera_while_somebody_watches(robot: waldo.Robot) -> None:
    begun, ended = [0], [0]

    def frames() -> Iterator[Any]:
        begun[0] += 1
        try:
            while True:
                yield orange()
                time.sleep(0.01)
        finally:
            ended[0] += 1

    with robot.publish("lamp", frames, background=True) as lamp:
        described = ready(robot, "lamp")
        attributes = described.attributes
        assert (described.kind, attributes["publisher"], attributes["via"]) == ("peer", "python", "grpc")
        until("it ends when nobody watches", lambda: ended[0] == 1 and not lamp.wanted)
        for life in (2, 3):
            with robot.camera("lamp").frames() as pictures:
                for _ in range(20):
                    frame = pictures.take(SOON)
                assert frame.shape == (48, 64, 3)
                assert is_orange(frame)
                assert begun[0] == life
            until(f"it ends {life} times", functools.partial(lambda life: ended[0] == life, life))
        assert lamp.state == "live"
        assert lamp.sent > 40
    assert lamp.state == "ended"
    gone(robot, "lamp")
    with pytest.raises(waldo.Closed):
        lamp.put(orange())


def test_the_end_of_an_iterator_is_the_end(robot: waldo.Robot) -> None:
    reading = threading.Event()

    def frames() -> Iterator[Any]:
        yield orange()
        assert reading.wait(SOON)
        for height in range(2, 100, 2):  # each of another size
            yield orange(height, 64)
        yield orange()[:, ::-1].astype(np.uint8)[:, :, 0]  # gray, and not contiguous

    shapes: list[tuple[int, ...]] = []

    def read() -> None:
        ready(robot, "lamp")
        with robot.camera("lamp").frames() as pictures:
            reading.set()
            while not shapes or shapes[-1] != (98, 64, 3):
                shapes.append(pictures.take(SOON).shape)

    reader = threading.Thread(target=read)
    reader.start()
    assert robot.publish("lamp", itertools.chain(frames(), itertools.repeat(orange(98), 1)), always=True) is None
    gone(robot, "lamp")
    reader.join(SOON)
    assert len(set(shapes)) > 1


def test_put(robot: waldo.Robot) -> None:
    lamp = robot.publish("lamp")
    assert lamp.state == "waiting"
    lamp.put(orange())
    ready(robot, "lamp")
    assert (lamp.state, lamp.error) == ("live", None)
    with robot.camera("lamp").frames() as pictures:
        until("it is wanted", lambda: lamp.wanted)
        before = time.time()
        lamp.put(orange())
        while pictures.take(SOON).capture_time < before:
            pass
    with pytest.raises(waldo.InvalidRequest, match="dtype"):
        lamp.put(orange().astype(float))
    lamp.put(orange())  # what was refused has ended nothing
    lamp.stop()
    lamp.stop()
    lamp.wait(0)
    gone(robot, "lamp")


def test_jpegs_pass_through(robot: waldo.Robot) -> None:
    with robot.camera("front", format="jpeg").frames() as pictures:
        jpeg = pictures.take(SOON)
    with robot.publish("lamp", endless(bytes(jpeg)), background=True):
        ready(robot, "lamp")
        with robot.camera("lamp", format="jpeg").frames() as pictures:
            assert bytes(pictures.take(SOON)) == bytes(jpeg)


def test_a_camera_becomes_another(robot: waldo.Robot) -> None:
    """What a loop over a camera gives is published with its capture time: raw, and as it was compressed."""
    for format in ("bgr", "h264"):
        original: list[float] = []

        def frames(format: str = format, original: list[float] = original) -> Iterator[Any]:
            for frame in robot.camera("front", format=format):
                original.append(frame.capture_time)
                yield frame

        with robot.publish("copy", frames, background=True):
            ready(robot, "copy")
            with robot.camera("copy").frames() as pictures:
                copy = pictures.take(SOON)
            assert any(abs(copy.capture_time - at) < 1e-5 for at in original), format
        gone(robot, "copy")


def test_a_slow_function_keeps_its_device(robot: waldo.Robot) -> None:
    """Longer than a device waits for a sign of life."""
    release = threading.Event()

    def frames() -> Iterator[Any]:
        yield orange()
        release.wait(SOON)
        yield orange()

    with robot.publish("lamp", frames(), background=True, always=True) as lamp:
        ready(robot, "lamp")
        time.sleep(6)
        assert (lamp.state, lamp.error) == ("live", None)
        release.set()
        lamp.wait(SOON)


def test_an_iterator_is_pulled_always_if_so_wished(robot: waldo.Robot) -> None:
    pulled = itertools.count()
    with robot.publish("lamp", (orange() for _ in pulled), background=True, always=True, fps=100) as lamp:
        ready(robot, "lamp")
        until("it is pulled although nobody watches", lambda: lamp.dropped > 20 and not lamp.wanted)


# --- what goes wrong


@pytest.mark.parametrize("background", [False, True])
def test_a_generator_that_raises(robot: waldo.Robot, background: bool) -> None:
    def frames() -> Iterator[Any]:
        yield orange()
        ready(robot, "lamp")
        raise ValueError("there is\nno light")

    heard = Heard(robot)
    with pytest.raises(ValueError, match="no light"):
        if background:
            robot.publish("lamp", frames(), always=True, background=True).wait(SOON)
        else:
            robot.publish("lamp", frames(), always=True)
    away(robot, "lamp", "the program says: ValueError: there is no light")
    assert "no light" in heard.wait("lamp", "failed").text
    # The device stays for a while so that people see it; who publishes again has it at once.
    robot.publish("lamp", [orange()])
    gone(robot, "lamp")


@pytest.mark.parametrize(
    ("wrong", "want"),
    [
        (orange().astype(np.float32), "dtype of the picture is float32, must be uint8"),
        (np.zeros((4, 4, 4), np.uint8), "alpha channel"),
        ({"a": 1}, "cannot follow"),
        (b"PNG", "are not a JPEG"),
    ],
)
def test_what_cannot_be_published_ends_it(robot: waldo.Robot, wrong: Any, want: str) -> None:
    def frames() -> Iterator[Any]:
        yield orange()
        ready(robot, "lamp")
        yield wrong

    with pytest.raises(waldo.InvalidRequest, match=want):
        robot.publish("lamp", frames(), always=True)
    away(robot, "lamp", "the program says: InvalidRequest: ")
    robot.publish("lamp", [orange()])
    gone(robot, "lamp")


def test_the_first_thing_is_wrong(robot: waldo.Robot) -> None:
    with pytest.raises(waldo.InvalidRequest, match="cannot be published"):
        robot.publish("lamp", [object()])
    robot.publish("lamp", [])
    assert "lamp" not in {d.name for d in robot.devices()}


def test_arguments(robot: waldo.Robot) -> None:
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: robot.publish("Lamp", []), "Lamp"),
        (lambda: robot.publish("lamp", [], rate=7), "rate"),
        (lambda: robot.publish("lamp", [], fps=-1), "fps"),
        (lambda: robot.publish("lamp", 3), "neither iterable"),
        (lambda: robot.publish("lamp", orange()), "one thing to publish"),
        (lambda: robot.publish("lamp", {"a": 1}), "one thing to publish"),
        (lambda: robot.publish("front", [orange()]), "front"),
    ]
    for wrong, want in calls:
        with pytest.raises(waldo.WaldoError, match=want):
            wrong()
    with pytest.raises(waldo.InvalidRequest, match="kind camera already"):
        robot.publish("front", [orange()])


def test_two_publishers(robot: waldo.Robot, stage: Place) -> None:
    first = robot.publish("lamp", endless(orange), background=True)
    ready(robot, "lamp")
    with stage.robot(name="second") as other:
        with pytest.raises(waldo.Refused, match="python"):
            other.publish("lamp", [orange()])
        second = other.publish("lamp", endless(orange), take=True, background=True)
        with pytest.raises(waldo.Refused, match="taken by second"):
            first.wait(SOON)
        until("the second has it", lambda: robot.device("lamp").attributes["publisher"] == "second")
        ready(robot, "lamp")
        second.stop()
    gone(robot, "lamp")


# --- other ways


def test_async(robot: waldo.Robot) -> None:
    async def frames() -> AsyncIterator[Any]:
        for _ in range(50):
            yield orange()
            await asyncio.sleep(0.01)

    async def both() -> None:
        lamp = robot.publish("lamp", frames(), always=True)
        seen = await asyncio.to_thread(ready, robot, "lamp")
        assert seen.kind == "peer"
        await lamp

        async def bad() -> AsyncIterator[Any]:
            yield {"a": 1}
            raise ValueError("no light")

        with pytest.raises(ValueError, match="no light"):
            await robot.publish("notes", bad)
        await asyncio.to_thread(robot.publish, "notes", [{"a": 1}])  # which frees it

    asyncio.run(both())
    gone(robot, "lamp")
    robot.publish("lamp", frames, always=True)  # without a loop


def test_messages(robot: waldo.Robot) -> None:
    with robot.publish("notes") as notes:
        notes.put({"first": True})
        ready(robot, "notes")
        got = messages_of(robot, "notes")
        first = next(got_from(got, notes))
        sent = [{"n": i, "text": "x" * i} for i in range(100)]
        for value in sent:
            notes.put(value)
        read = list(itertools.islice((m for m in got if "n" in m.value.struct_value), len(sent)))
        assert [(m.value.struct_value["n"], m.value.struct_value["text"]) for m in read] == [
            (v["n"], v["text"]) for v in sent
        ]
        assert [m.sequence - read[0].sequence for m in read] == list(range(len(sent)))
        assert first.epoch == read[0].epoch
        notes.put("text")
        assert next(got).value.string_value == "text"
    gone(robot, "notes")


def test_sound(robot: waldo.Robot) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000) * 0.5
    with robot.publish("voice", itertools.cycle(np.split(tone, 50)), rate=16000, background=True, always=True):
        ready(robot, "voice")
        heard = robot.audio("voice", rate=16000, channels=1).record(1.0)
    crossings = np.count_nonzero(np.diff(np.signbit(heard[:, 0])))
    assert 840 <= crossings <= 920


# --- crashes


def interrupted(heard: Heard) -> None:
    while "publication" not in heard.wait("lamp", "lost").text:  # readers tell, too
        pass


def test_crashes(place: Place, tmp_path: Path) -> None:
    launcher = place.up("guest: {kind: peer}")
    with place.robot() as robot:
        heard = Heard(robot)
        lamp = robot.publish("lamp", endless(orange), background=True)
        for again in range(2):
            heard.wait("lamp", "publishing")
            before = ready(robot, "lamp")
            with robot.camera("lamp").frames() as pictures:
                assert is_orange(pictures.take(SOON))
                os.kill(before.pid, signal.SIGKILL)
                interrupted(heard)
                at = time.time()
                while pictures.take(SOON).capture_time < at:  # the same reader goes on
                    pass
            assert ready(robot, "lamp").epoch != before.epoch, again
        # Launcher and bus, and all devices with them.
        launcher.kill()
        interrupted(heard)
        place.start("waldo", "up", str(tmp_path / "robot.yaml"))
        heard.wait("lamp", "publishing")
        ready(robot, "lamp")
        with robot.camera("lamp").frames() as pictures:
            assert is_orange(pictures.take(SOON))
        lamp.stop()
        assert lamp.error is None


def test_without_a_launcher(place: Place) -> None:
    bus = place.bus()
    place.device("peer", "lamp")
    place.device("peer", "notes", "--carries", "messages")
    with place.robot() as robot:
        lamp = robot.publish("lamp", endless(orange), background=True)
        ready(robot, "lamp")
        address = robot.device("lamp").grpc_address
        # The bus may go: what is published goes on.
        bus.kill()
        with place.robot(address) as direct, direct.camera("lamp").frames() as pictures:
            assert is_orange(pictures.take(SOON))
            assert lamp.state == "live"
        place.bus()
        lamp.stop()
        robot.publish("notes", [{"a": 1}] * 10)
        remedy = re.escape("add a device {kind: peer} to robot.yaml, `other: {kind: peer}`")
        with place.robot(timeout=1.0) as other, pytest.raises(waldo.Unavailable, match=remedy):
            other.publish("other", [orange()])
    # Nor is a bus needed.
    with place.robot(address) as direct:
        direct.publish("lamp", [orange()] * 3, always=True)
        with pytest.raises(waldo.WaldoError, match="carries video"):
            direct.publish("lamp", [{"a": 1}])


def test_a_token(tmp_path: Path) -> None:
    place = Place(tmp_path, token="sixteen-or-more+")
    try:
        place.up("guest: {kind: peer}")
        with place.robot() as robot:
            robot.publish("lamp", [orange()] * 3, always=True)
            robot.publish("guest", [orange()] * 3, always=True)
    finally:
        place.close()
