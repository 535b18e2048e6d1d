"""VideoStream, with a camera on the network that can be killed, frozen and brought back, and with one of a robot."""

from __future__ import annotations

import asyncio
import os
import pathlib
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import waldo
from tests.live import SOON, Place, Process, free_port, program, until
from waldo._ingest import Ingest, find_program
from waldo._restarts import Restarts


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALDO_BIN", str(pathlib.Path(program("waldo-rtsp-ingest")).parent))


class NetworkCamera:
    """A camera that is there while it runs."""

    def __init__(self, place: Place, protocol: str = "rtsp", path: str = "live") -> None:
        self._place, self._address = place, f"127.0.0.1:{free_port()}"
        self._protocol = protocol
        self.url = f"{protocol}://{self._address}/{path}"
        self.process: Process | None = None

    def run(self) -> NetworkCamera:
        others = ["-rtsp", ""] if self._protocol != "rtsp" else []
        self.process = self._place.start("fakecam", *others, f"-{self._protocol}", self._address)
        self.process.says(self.url)
        return self

    def signal(self, what: signal.Signals) -> None:
        assert self.process is not None
        self.process.process.send_signal(what)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()


@pytest.fixture
def camera(place: Place) -> Iterator[NetworkCamera]:
    made = NetworkCamera(place)
    yield made
    if made.process is not None:
        made.signal(signal.SIGCONT)


class Told:
    """What callbacks were called with."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda: self.said.append(name)

    @property
    def callbacks(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("on_connect", "on_disconnect", "on_reconnect_failure")}

    def wait(self, *names: str) -> None:
        until(f"{names}", lambda: self.said[: len(names)] == list(names))


def frame_of(stream: waldo.VideoStream) -> waldo.StreamFrame:
    """Waits for a frame that is not stale."""

    def fresh() -> list[waldo.StreamFrame]:
        frame = stream.read()
        return [frame] if frame is not None and not frame.stale else []

    return until("a frame", fresh)[0]


def child(stream: waldo.VideoStream) -> int:
    """The program that reads the camera now."""
    run = stream._run
    assert run is not None and run._ingest is not None and run._ingest._process is not None
    return run._ingest._process.pid


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    ("protocol", "path"), [("rtsp", "live"), ("http", "video"), ("rtmp", "live/stream")], ids=["RTSP", "MJPEG", "RTMP"]
)
def test_it_reads_the_newest_frame(place: Place, protocol: str, path: str) -> None:
    told, camera = Told(), NetworkCamera(place, protocol, path).run()
    stream = waldo.VideoStream(camera.url, **told.callbacks)
    assert stream.read() is None and not stream.is_connected and stream.frame_width == 0
    assert stream.start() is stream
    frame = frame_of(stream)
    assert frame.dtype == np.uint8 and frame.shape == (stream.frame_height, stream.frame_width, 3)
    half: Any = frame[::2]
    assert frame.age < 1 and not frame.stale and not half.stale
    copy = pickle.loads(pickle.dumps(frame))
    assert np.array_equal(copy, frame) and (copy.info, copy.stale_after) == (frame.info, 1.0)
    until("connected", lambda: stream.is_connected)
    until("a newer frame", lambda: frame_of(stream).sequence > frame.sequence)
    assert frame_of(stream).epoch == frame.epoch
    until("a rate", lambda: stream.fps > 0)
    told.wait("on_connect")
    stream.stop()
    assert stream.read() is not None and not stream.is_connected and stream.fps == 0
    assert told.said == ["on_connect"], "stopping is no disconnect"


def test_a_camera_that_goes_and_comes(camera: NetworkCamera) -> None:
    told = Told()
    with waldo.VideoStream(camera.url, stale_after=0.5, **told.callbacks) as stream:
        until("an attempt after the first", lambda: stream.reconnect_count > 0)
        assert stream.read() is None and not told.said, "an attempt that fails is no disconnect"
        camera.run()
        last = frame_of(stream)
        count = stream.reconnect_count
        camera.kill()
        told.wait("on_connect", "on_disconnect")
        assert not stream.is_connected
        until("a stale frame", lambda: stream.read() is not None and stream.read().stale)  # type: ignore[union-attr]
        stream._strict = True
        assert stream.read() is None
        until("more attempts", lambda: stream.reconnect_count > count)
        camera.run()
        frame = frame_of(stream)
        assert frame.sequence > last.sequence and frame.epoch == last.epoch
        told.wait("on_connect", "on_disconnect", "on_connect")
        assert stream.reconnect_count > count, "it is never reset"


def test_a_camera_that_freezes(camera: NetworkCamera) -> None:
    """rtsp-stream shows it as connected for 25 s and more."""
    told = Told()
    with waldo.VideoStream(camera.run().url, strict=True, **told.callbacks) as stream:
        frame_of(stream)
        camera.signal(signal.SIGSTOP)
        until("no frame", lambda: stream.read() is None)
        told.wait("on_connect", "on_disconnect")
        camera.signal(signal.SIGCONT)
        frame_of(stream)
        told.wait("on_connect", "on_disconnect", "on_connect")


def test_the_program_that_reads_it_dies(camera: NetworkCamera) -> None:
    told = Told()
    with waldo.VideoStream(camera.run().url, **told.callbacks) as stream:
        before = frame_of(stream)
        os.kill(child(stream), signal.SIGKILL)
        told.wait("on_connect", "on_disconnect", "on_connect")
        until("a frame of the new program", lambda: frame_of(stream).epoch != before.epoch)
        assert stream.is_connected and stream.reconnect_count == 1
        os.kill(child(stream), signal.SIGSTOP)  # it hangs
        until("a stale frame", lambda: stream.read().stale)  # type: ignore[union-attr]
        os.kill(child(stream), signal.SIGCONT)
        frame_of(stream)


def test_giving_up_is_told_once(camera: NetworkCamera) -> None:
    told = Told()
    with waldo.VideoStream(camera.url, reconnect_delay=0.1, max_reconnect_attempts=3, **told.callbacks) as stream:
        told.wait("on_reconnect_failure")
        assert stream.gave_up and not stream.is_connected and stream.reconnect_count == 2
        camera.run()
        stream.reconnect()
        told.wait("on_reconnect_failure", "on_connect")
        assert not stream.gave_up
        frame_of(stream)
        camera.kill()
        told.wait("on_reconnect_failure", "on_connect", "on_disconnect", "on_reconnect_failure")


@pytest.mark.parametrize(
    ("url", "arguments", "match"),
    [
        ("rtsp://", {}, "(?i)url"),
        ("ftp://10.0.0.7/x", {}, "(?i)url"),
        ("rtsp://10.0.0.7/x", {"reconnect_delay": 0}, "RECONNECT_DELAY"),
        ("rtsp://10.0.0.7/x", {"reconnect_backoff": 0.5}, "RECONNECT_BACKOFF"),
        ("rtsp://10.0.0.7/x", {"max_reconnect_delay": -1}, "MAX_RECONNECT_DELAY"),
        ("rtsp://10.0.0.7/x", {"max_reconnect_attempts": 0}, "max_reconnect_attempts is 0"),
        ("rtsp://10.0.0.7/x", {"options": {"transport": "pigeon"}}, "TRANSPORT"),
        ("rtsp://10.0.0.7/x", {"robot": object()}, "robot: it is for a device"),
        ("door", {"options": {"transport": "udp"}}, "options: door is a device of the robot"),
    ],
)
def test_what_is_wrong_is_said_at_the_start(url: str, arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        waldo.VideoStream(url, **arguments).start()


def test_a_name_that_is_none() -> None:
    with pytest.raises(waldo.InvalidRequest, match="url: 'The Door' is not a name"):
        waldo.VideoStream("The Door")
    with pytest.raises(TypeError, match="url: 0 must be a camera's address"):
        waldo.VideoStream(0)  # type: ignore[arg-type]


def test_without_the_program(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = pathlib.Path(program("waldo-rtsp-ingest"))
    monkeypatch.setenv("WALDO_BIN", str(tmp_path))
    with pytest.raises(waldo.NotFound, match="is not in WALDO_BIN"):
        waldo.VideoStream("rtsp://10.0.0.7/x").start()
    monkeypatch.delenv("WALDO_BIN")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(waldo.NotFound, match="is not in PATH: set WALDO_BIN"):
        waldo.VideoStream("rtsp://10.0.0.7/x").start()
    monkeypatch.setenv("PATH", str(there.parent))
    assert find_program() == str(there)


def test_it_stops_and_starts_again(camera: NetworkCamera) -> None:
    stream = waldo.VideoStream(camera.url, reconnect_delay=600, max_reconnect_delay=3600)
    stream.stop()
    for _ in range(2):
        stream.start().start()
        pid = child(stream)
        stream.stop()  # also while it waits to try again
        stream.stop()
        assert gone(pid)
    camera.run()
    with stream:
        frame_of(stream)


def test_a_callback_may_stop_it(camera: NetworkCamera) -> None:
    stopped = threading.Event()

    def stop() -> None:
        stream.stop()
        stopped.set()

    stream = waldo.VideoStream(camera.run().url, on_connect=stop).start()
    assert stopped.wait(SOON)
    assert stream.read() is None or stream.read() is not None
    assert not stream.is_connected


def test_a_callback_that_raises_or_blocks_stops_nothing(camera: NetworkCamera) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        go_on.wait(60)
        raise ZeroDivisionError

    told = Told()
    with waldo.VideoStream(camera.run().url, on_connect=block, on_disconnect=told.on_disconnect) as stream:
        assert entered.wait(SOON)
        first = frame_of(stream)
        until("frames meanwhile", lambda: frame_of(stream).sequence > first.sequence + 10)
        camera.kill()
        until("disconnected", lambda: not stream.is_connected)
        assert not told.said, "callbacks come one after another"
        go_on.set()
        told.wait("on_disconnect")


def test_on_an_event_loop(camera: NetworkCamera) -> None:
    async def main() -> None:
        loop, connected = asyncio.get_running_loop(), asyncio.Event()

        async def on_connect() -> None:
            assert asyncio.get_running_loop() is loop
            connected.set()

        with waldo.VideoStream(camera.run().url, on_connect=on_connect):
            await asyncio.wait_for(connected.wait(), SOON)

    asyncio.run(main())

    async def never() -> None: ...

    with pytest.raises(TypeError, match="an async callback needs an event loop"):
        waldo.VideoStream(camera.url, on_connect=never).start()


def test_a_loop_over_its_frames(camera: NetworkCamera) -> None:
    stream = waldo.VideoStream(camera.run().url)
    seen = []
    for frame in stream:
        seen.append(frame.sequence)
        assert not frame.stale
        if len(seen) == 3:
            stream.stop()
    assert len(seen) >= 3 and seen == sorted(set(seen))


def test_nobody_else_reads_it_and_no_command_line_shows_its_address(camera: NetworkCamera) -> None:
    url = camera.run().url.replace("rtsp://", "rtsp://viewer:secret@")
    with waldo.VideoStream(url) as stream:
        frame_of(stream)
        run = stream._run
        assert run is not None and run._ingest is not None
        command = pathlib.Path(f"/proc/{child(stream)}/cmdline").read_bytes()
        assert b"rtsp" not in command.replace(b"waldo-rtsp-ingest", b"") and b"secret" not in command
        with waldo.Robot(run._ingest.address, token="") as stranger, pytest.raises(waldo.NotAllowed):
            stranger.camera(run._name).frames().take(SOON)


@pytest.mark.parametrize("killed", [True, False])
def test_the_program_ends_with_its_parent(camera: NetworkCamera, tmp_path: pathlib.Path, killed: bool) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import time, waldo\n"
        f"stream = waldo.VideoStream({camera.run().url!r}).start()\n"
        f"while stream.read() is None: time.sleep(0.01)\n"
        f"print(stream._run._ingest._process.pid, flush=True)\n"
        f"time.sleep({600 if killed else 0})\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if killed:
            parent.kill()
        assert parent.wait(SOON) == (-signal.SIGKILL if killed else 0)
        until("the end of the program", lambda: gone(pid))
    finally:
        parent.kill()
        parent.communicate()


def test_a_camera_of_the_robot(rover: Place) -> None:
    told = Told()
    with rover.robot() as robot:
        with waldo.VideoStream("front", robot=robot, **told.callbacks) as stream:
            assert frame_of(stream).shape == (240, 320, 3) == (stream.frame_height, stream.frame_width, 3)
            told.wait("on_connect")
            before = frame_of(stream)
            rover.crash(robot, "front")
            told.wait("on_connect", "on_disconnect", "on_connect")
            until("a frame of the new process", lambda: frame_of(stream).epoch != before.epoch)
            assert stream.reconnect_count == 1
        assert robot.device("front").name == "front", "the robot is the caller's"


def test_a_network_camera_of_the_robot(place: Place, camera: NetworkCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    place.bus()
    place.device("rtsp-ingest", "door", "--url", camera.run().url)
    monkeypatch.setenv("WALDO_NATS", place.nats)
    told = Told()
    with waldo.VideoStream("door", **told.callbacks) as stream:
        frame_of(stream)
        camera.kill()
        told.wait("on_connect", "on_disconnect")
        until("attempts", lambda: stream.reconnect_count > 0)
        camera.run()
        told.wait("on_connect", "on_disconnect", "on_connect")


def test_an_address_that_is_taken() -> None:
    """Another one is used."""
    ended: list[waldo.WaldoError | None] = []
    ingest = Ingest("camera", {"url": f"rtsp://127.0.0.1:{free_port()}/x"}, ended.append)
    with socket.create_server(("127.0.0.1", int(ingest.address.split(":")[1]))) as taken:
        ingest.start()
        until("another address", lambda: not ingest.address.endswith(f":{taken.getsockname()[1]}"))
        ingest.wait()
    assert ended == [None]
    ingest.stop()


@pytest.mark.parametrize(
    ("lives", "pauses"),
    [
        ([0] * 8, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]),
        ([0, 0, 9.9, 0], [0.1, 0.2, 0.4, 0.8]),
        ([0, 0, 10, 0], [0.1, 0.2, 0.1, 0.2]),
    ],
)
def test_pauses_before_restarts(lives: list[float], pauses: list[float]) -> None:
    now = 0.0
    restarts = Restarts(lambda: now)
    got = []
    for life in lives:
        restarts.began()
        now += life
        got.append(restarts.pause())
        now += got[-1]
    assert got == pytest.approx(pauses)
