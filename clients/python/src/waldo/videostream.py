"""One camera as a variable: the newest picture, whenever it is asked for.

    with waldo.VideoStream("rtsp://viewer:secret@10.0.0.7/stream1") as stream:
        while True:
            frame = stream.read()                   # None before the first
            if frame is not None and not frame.stale:
                steer(frame)

It has the constructor arguments, methods and properties of rtsp-stream. A program `waldo-rtsp-ingest` of its own reads
the camera, so a camera that hangs, or sends what crashes a decoder, stops nothing here; it is started again when it
dies, and ends with this program. A plain name, ``VideoStream("door")``, is a camera of the robot instead.

What rtsp-stream leaves open:

- Attempts to connect that fail count in a row, and from 0 again only after 5 s of healthy pictures: a camera that
  accepts and dies is not hammered. The first attempt counts too, and its failure is no disconnect. Waits are
  ``reconnect_delay`` times ``reconnect_backoff`` for each further failure, at most ``max_reconnect_delay``, give or
  take a tenth; at most 0.4 s while nobody listens at the address, at least 30 s after a wrong password or path.
- A camera that sends nothing is not connected: its frames are stale after a second, and after two the connection is
  made again, which is a disconnect.
- ``read`` goes on returning the last frame while the camera is away, and says so: ``frame.age`` grows, ``frame.stale``
  is true. With ``strict=True`` it returns None instead.
- Callbacks run off the thread that reads, one after another: on the event loop if `start` was called on one, otherwise
  on a thread of their own. One that raises is logged; one that blocks delays only the next.
- ``stop`` may be called at any time, also during a wait, from a callback, and more than once; then `start` begins anew.
"""

from __future__ import annotations

import atexit
import inspect
import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from waldo._ingest import Ingest
from waldo._subscription import log
from waldo.bus import check_name
from waldo.cameras import Camera
from waldo.errors import Unsupported, WaldoError
from waldo.events import Event
from waldo.frame import Frame, Info
from waldo.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from waldo.reading import Reading
from waldo.robot import Robot
from waldo.subscriptions import CallbackSubscription

__all__ = ["StreamFrame", "VideoStream"]

_CONNECTED = ingest_pb2.CONNECTION_EVENT_KIND_CONNECTED
_DISCONNECTED = ingest_pb2.CONNECTION_EVENT_KIND_DISCONNECTED
_GAVE_UP = ingest_pb2.CONNECTION_EVENT_KIND_GAVE_UP


class StreamFrame(Frame):
    """A frame that says whether it is too old to act on."""

    #: From which age on it is stale, in seconds.
    stale_after: float = 1.0

    def __new__(cls, array: Any, info: Info | None = None, stale_after: float = 1.0) -> StreamFrame:
        frame = np.asarray(array).view(cls)
        frame.info, frame.stale_after = info or Info(), stale_after
        return frame

    def __reduce_ex__(self, protocol: Any) -> Any:
        return StreamFrame, (np.asarray(self), self.info, self.stale_after)

    def __array_finalize__(self, source: Any) -> None:
        super().__array_finalize__(source)
        self.stale_after = getattr(source, "stale_after", StreamFrame.stale_after)

    @property
    def stale(self) -> bool:
        """Whether it is older than the stream's `stale_after` now."""
        return self.age > self.stale_after


class VideoStream:
    """The newest picture of a camera; see the module's documentation.

    url: rtsp://, rtsps://, rtmp://, rtmps://, http:// or https:// (Motion JPEG), insta360://; or the name of a camera
    of the robot, which has its own rules for reconnecting. `options` are further keys of waldo-rtsp-ingest's README,
    such as {"transport": "udp", "user": "viewer", "password": "secret"}. `cap_backend` and `cap_buffer_size` are
    rtsp-stream's settings for OpenCV, which is not used here: no frame waits in a buffer."""

    def __init__(
        self,
        url: str,
        *,
        reconnect_delay: float = 1.0,
        max_reconnect_attempts: int | None = None,
        reconnect_backoff: float = 1.0,
        max_reconnect_delay: float = 30.0,
        on_connect: Callable[[], Any] | None = None,
        on_disconnect: Callable[[], Any] | None = None,
        on_reconnect_failure: Callable[[], Any] | None = None,
        cap_backend: object = None,
        cap_buffer_size: object = None,
        strict: bool = False,
        stale_after: float = 1.0,
        width: int = 0,
        height: int = 0,
        robot: Robot | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        if max_reconnect_attempts is not None and max_reconnect_attempts < 1:
            raise ValueError(f"max_reconnect_attempts is {max_reconnect_attempts}: at least 1, or None for no limit")
        if not isinstance(url, str):
            rule = "must be a camera's address, or the name of a device; robot.yaml makes one of /dev/video0"
            raise TypeError(f"url: {url!r} {rule}")
        self._remote = "://" in url
        self._name = _name_of(url) if self._remote else check_name("url", url)
        if not self._remote and options:
            raise ValueError(f"options: {url} is a device of the robot, which has its settings in robot.yaml")
        if self._remote and robot is not None:
            raise ValueError("robot: it is for a device of the robot, and url is the address of a camera")
        self._settings: dict[str, object] = {
            "sound": False,
            "reconnectDelay": f"{reconnect_delay:g}s",
            "reconnectBackoff": f"{reconnect_backoff:g}",
            "maxReconnectDelay": f"{max_reconnect_delay:g}s",
            "maxReconnectAttempts": max_reconnect_attempts or 0,
            **(options or {}),
            "url": url,
        }
        self._strict, self._stale_after = strict, stale_after
        self._size = (width, height)
        self._given = robot
        self._callbacks: dict[int, Callable[[], Any] | None] = {
            _CONNECTED: on_connect,
            _DISCONNECTED: on_disconnect,
            _GAVE_UP: on_reconnect_failure,
        }
        self._starting = threading.RLock()
        self._run: _Run | None = None
        self._last: StreamFrame | None = None
        self._newest: Any = None

    def start(self) -> VideoStream:
        """Begins to read the camera, and returns the stream without waiting for the camera; to start the program that
        reads it takes about 0.2 s. ValueError says what is wrong with an argument. Of a stream that has begun it does
        nothing."""
        with self._starting:
            if self._run is None:
                self._last = self._newest = None
                run = _Run(self._name, self._callbacks)
                try:
                    run.start(self._settings if self._remote else None, self._given, self._size)
                except BaseException:
                    run.stop()
                    raise
                self._run = run
        return self

    def stop(self) -> None:
        """Ends reading. The last frame can still be read."""
        with self._starting:
            run, self._run = self._run, None
        if run is not None:
            run.stop()

    def read(self) -> StreamFrame | None:
        """Returns the newest frame at once: None before the first, the same one again if there is no newer. It is BGR,
        as OpenCV has it. See `stale` and `age` of what it returns; if strict, a stale frame is None."""
        run = self._run
        if run is not None:
            self._take(run.newest())
        frame = self._last
        return None if frame is None or self._strict and frame.stale else frame

    def frames(self, timeout: float | None = None) -> Iterator[StreamFrame]:
        """Yields each new frame, and waits for it; ends with `stop`. TimeoutError after so many seconds without one."""
        with self.start().camera.frames() as loop:
            while True:
                try:
                    yield self._dress(loop.take(timeout))
                except WaldoError as end:
                    if self._run is None:
                        return
                    raise end

    def __iter__(self) -> Iterator[StreamFrame]:
        return self.frames()

    def reconnect(self) -> None:
        """Has a camera that is away tried at once, also after the last attempt; failures count from 0 again."""
        self._running().reconnect()

    @property
    def camera(self) -> Camera[Frame]:
        """The camera, with everything that it can do: subscribe, snapshot, … The stream must have begun."""
        return self._running().camera

    @property
    def is_connected(self) -> bool:
        """Whether pictures come, or have stayed away for less than 2 s."""
        run = self._run
        return run is not None and run.connected

    @property
    def gave_up(self) -> bool:
        """Whether the last permitted attempt has failed: nothing is tried until `reconnect`."""
        run = self._run
        return run is not None and run.gave_up

    @property
    def reconnect_count(self) -> int:
        """Attempts to connect after the first, since `start`, whether they succeeded or not."""
        run = self._run
        return 0 if run is None else run.reconnects()

    @property
    def fps(self) -> float:
        """Pictures per second over the last 32; 0 while not connected."""
        run = self._run
        return 0.0 if run is None or not run.connected else run.meter.fps

    @property
    def frame_width(self) -> int:
        """In pixels; 0 before the first frame."""
        run = self._run
        return 0 if run is None else run.meter.width

    @property
    def frame_height(self) -> int:
        """In pixels; 0 before the first frame."""
        run = self._run
        return 0 if run is None else run.meter.height

    def __enter__(self) -> VideoStream:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _running(self) -> _Run:
        run = self._run
        if run is None:
            raise WaldoError(f"{self._name}: the stream has not been started")
        return run

    def _take(self, frame: Any) -> None:
        if frame is not None and frame is not self._newest:
            self._newest, self._last = frame, self._dress(frame)

    def _dress(self, frame: Frame) -> StreamFrame:
        return StreamFrame(frame, frame.info, self._stale_after)


class _Meter:
    """Listens to pictures, without making arrays of them."""

    def __init__(self, connected: Callable[[], None]) -> None:
        self._connected = connected
        self._times: deque[float] = deque(maxlen=32)
        self.width = self.height = 0

    @property
    def fps(self) -> float:
        times = list(self._times)
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0

    def put(self, item: Any) -> None:
        info, _ = item
        self.width, self.height = info.width, info.height
        self._times.append(time.monotonic())
        self._connected()

    def close(self, error: WaldoError | None = None) -> None:
        self._times.clear()


class _Run:
    """What runs between start and stop."""

    def __init__(self, name: str, callbacks: Mapping[int, Callable[[], Any] | None]) -> None:
        self._name, self._callbacks = name, callbacks
        self._calls: CallbackSubscription[Callable[[], Any]] = CallbackSubscription(lambda callback: callback())
        if self._calls._loop is None and any(inspect.iscoroutinefunction(c) for c in callbacks.values()):
            raise TypeError("an async callback needs an event loop: start the stream on one")
        self._lock = threading.Lock()
        self.connected = self.gave_up = False
        self._watched = False  # by IngestService, which then says when it is connected
        self._reconnects = self._before = self._connects = 0
        self._ingest: Ingest | None = None
        self._robot: Robot | None = None
        self._owned = True
        self._unlisten: Callable[[], None] = lambda: None
        self.meter = _Meter(self._picture)

    def start(self, settings: Mapping[str, object] | None, robot: Robot | None, size: tuple[int, int]) -> None:
        atexit.register(self.stop)
        if settings is not None:
            self._ingest = Ingest(self._name, settings, self._died)
            self._ingest.start()
            self._ingest.wait()
            self._robot = Robot(self._ingest.address, token=self._ingest.token)
        else:
            self._robot, self._owned = robot or Robot(), robot is None
        self._unlisten = self._robot.on_event(self._event)
        self.camera = self._robot.camera(self._name, *size)
        self._pictures = self.camera._shared
        self._pictures.patience = math.inf
        self._pictures.attach(self.meter)
        self.newest()  # begins
        stub = self._robot.stub(self._name, ingest_pb2_grpc.IngestServiceStub)
        request = ingest_pb2.WatchConnectionRequest()
        self._watching: Reading[Any] = Reading(
            self._robot.events, self._name, "connection", lambda: stub.WatchConnection(request), lambda r: r.event
        )
        self._robot.adopt(self._name, self._watching)
        self._watching.patience = math.inf
        self._watching.attach(_Ear(self._said, self._unwatched))

    def stop(self) -> None:
        atexit.unregister(self.stop)
        self._unlisten()
        self._calls.close()
        robot, self._robot = self._robot, None
        if robot is not None and self._owned:
            robot.close()
        elif robot is not None and hasattr(self, "_watching"):
            self._watching.close()
            self.camera.close()
        if self._ingest is not None:
            self._ingest.stop()

    def newest(self) -> Any:
        """Returns the newest picture; None if there is none yet, or no more."""
        try:
            return self.camera.latest()
        except WaldoError as e:
            log.debug("%s: %s", self._name, e)
            return None

    def reconnect(self) -> None:
        assert self._robot is not None
        stub = self._robot.stub(self._name, ingest_pb2_grpc.IngestServiceStub)
        with self._lock:
            self.gave_up = False
        self._robot.ask(self._name, stub.Reconnect, ingest_pb2.ReconnectRequest())

    def reconnects(self) -> int:
        """Those of this life of the program, and of the lives before, whose ends count too."""
        robot = self._robot
        if self._watched and robot is not None:
            stub = robot.stub(self._name, ingest_pb2_grpc.IngestServiceStub)
            try:
                answer = robot.ask(self._name, stub.GetConnection, ingest_pb2.GetConnectionRequest(), 1.0)
            except WaldoError:
                pass  # it has ended, and what was known of it counts
            else:
                with self._lock:
                    self._reconnects = answer.connection.reconnect_count
        with self._lock:
            return self._before + self._reconnects

    def _said(self, event: ingest_pb2.ConnectionEvent) -> None:
        """Takes what IngestService says; the first message of a call tells how things stand."""
        self._watched = True
        now = event.connection
        with self._lock:
            self._reconnects = now.reconnect_count
        if event.kind == _GAVE_UP or now.state == ingest_pb2.CONNECTION_STATE_GAVE_UP:
            self._becomes(False)
            self._give_up(now.reason)
        else:
            connected = event.kind == _CONNECTED if event.kind else now.is_connected
            if connected:
                self._pictures.wake()
            self._becomes(connected)

    def _unwatched(self, error: WaldoError | None) -> None:
        """The device is no network camera, or the stream is stopped: then pictures say whether it is connected."""
        self._watched = False
        if error is not None and not isinstance(error, Unsupported):
            log.warning("%s: %s", self._name, error)

    def _picture(self) -> None:
        if not self._watched and not self.connected:
            self._becomes(True)

    def _event(self, event: Event) -> None:
        """Something has happened to the device."""
        if event.source == self._name and event.kind in ("lost", "away", "failed"):
            self._becomes(False)

    def _died(self, error: WaldoError | None) -> None:
        """The program that reads the camera has ended; with an error it is not started again."""
        with self._lock:
            self._before, self._reconnects = self._before + self._reconnects + 1, 0
        self._becomes(False)
        if error is not None:
            self._give_up(str(error))
        elif self._ingest is not None and self._robot is not None:
            self._robot.move(self._ingest.address)

    def _becomes(self, connected: bool) -> None:
        with self._lock:
            if connected == self.connected:
                return
            self.connected, self.gave_up = connected, self.gave_up and not connected
            if connected and not self._watched:
                self._reconnects, self._connects = self._connects, self._connects + 1
        self._tell(_CONNECTED if connected else _DISCONNECTED)

    def _give_up(self, reason: str) -> None:
        with self._lock:
            if self.gave_up:
                return
            self.gave_up = True
        log.error("%s: gave up: %s", self._name, reason)
        self._tell(_GAVE_UP)

    def _tell(self, what: int) -> None:
        callback = self._callbacks[what]
        if callback is not None and not self._calls.closed:
            self._calls.put_nowait(callback)


class _Ear:
    """A listener of a reading."""

    def __init__(self, put: Callable[[Any], None], close: Callable[[WaldoError | None], None]) -> None:
        self.put, self._close = put, close

    def close(self, error: WaldoError | None = None) -> None:
        self._close(error)


def _name_of(url: str) -> str:
    """Returns a name for what is logged: the host, without login or path."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return re.sub("[^a-z0-9]+", "-", host.lower()).strip("-")[:40].strip("-") or "camera"
