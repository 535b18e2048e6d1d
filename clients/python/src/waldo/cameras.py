"""Cameras: pictures as numpy arrays, as JPEG or as H.264."""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from waldo import shared
from waldo._subscribable import Feed, Subscribable
from waldo._wire import Step, step_of
from waldo.camera.v1 import camera_service_pb2, camera_service_pb2_grpc
from waldo.errors import Closed, InvalidRequest
from waldo.frame import Info, dropping, info_of, picture
from waldo.media.v1 import media_pb2
from waldo.reading import Box, Loop, Reading
from waldo.subscriptions import MostRecentSubscription, QueueSubscription

if TYPE_CHECKING:
    from waldo.robot import Robot

#: Media type and pixel format of each format.
FORMATS = {
    "bgr": ("video/raw", "BGR24"),
    "i420": ("video/raw", "I420"),
    "nv12": ("video/raw", "NV12"),
    "yuyv": ("video/raw", "YUYV"),
    "jpeg": ("image/jpeg", ""),
    "h264": ("video/H264", ""),
    "vp8": ("video/VP8", ""),
}
# Raw and JPEG pictures stand alone, so the newest can push out others. Of a loop that is late once nothing is lost.
_WAITING = 3
# Encoded pictures wait here before the device notices that the reader is slow, and skips to a key frame.
_WAITING_ENCODED = 2


#: What a camera gives: Frame, or Packet if its format is encoded.
P = TypeVar("P")


class Camera(Subscribable[P], Generic[P]):
    """One camera in one format. Loops, `read` and `latest` share one call to the device, unless the format is H.264 or
    VP8: then each loop has its own. The call begins with the first reader, and ends with the last or with `close`.

    While the device or its hardware is away nothing comes, and then it goes on; `robot.on_event` and the logger "waldo"
    tell. A loop that is slow gets the newest picture, and `frame.dropped` counts what it lost."""

    def __init__(
        self,
        robot: Robot,
        name: str,
        width: int = 0,
        height: int = 0,
        fps: float = 0,
        format: str = "bgr",
        shared_memory: bool = True,
    ) -> None:
        if format not in FORMATS:
            raise InvalidRequest(f"format: {format!r} is not one of {', '.join(FORMATS)}")
        media_type, pixel_format = FORMATS[format]
        super().__init__()
        self.name, self.format = name, format
        self._robot = robot
        self._wanted = media_pb2.VideoFormat(
            media_type=media_type, pixel_format=pixel_format, width_px=width, height_px=height, frame_rate_hz=fps
        )
        self._alone = media_type in ("video/raw", "image/jpeg")
        self._sharing = shared.Sharing(shared_memory and media_type == "video/raw")
        self._shared = self._reading()
        self._readings: weakref.WeakSet[Reading[Any]] = weakref.WeakSet([self._shared])
        self._lock = threading.Lock()
        self._loop: Loop[Any] | None = None  # of read and latest
        self._last: P | None = None

    @property
    def state(self) -> str:
        """"idle" without readers, "connecting", "live", "waiting" while the device is away, "failed"."""
        return self._shared.state

    def frames(self) -> Loop[Any]:
        """Returns a loop over the pictures from now on, with `take(timeout)` and `close()`."""
        if self._alone:
            reading, box = self._shared, Box[Any](_WAITING)
        else:
            reading, box = self._reading(), Box[Any](_WAITING_ENCODED, newest=False)
            self._readings.add(reading)
        return Loop(reading, box, self._taken)

    def __iter__(self) -> Iterator[P]:
        return self.frames()

    def __aiter__(self) -> AsyncIterator[P]:
        return self.frames()

    def read(self, timeout: float | None = None) -> tuple[bool, Any]:
        """Waits for a picture that was not read before, and returns (True, picture), as OpenCV's VideoCapture does;
        (False, None) if none comes within `timeout` seconds, or the camera has been closed. It is never an old one."""
        try:
            picture = self._reader().take(timeout)
        except (TimeoutError, Closed):
            return False, None
        self._last = picture
        return True, picture

    def latest(self) -> P | None:
        """Returns the newest picture without waiting, the last one again if there is no newer; None before the first.
        Its `age` tells how old it is."""
        loop = self._reader()
        try:
            while True:
                self._last = loop.take(0)
        except TimeoutError:
            return self._last

    def snapshot(self, timeout: float = 5.0) -> P:
        """Returns one picture that is captured now, raw or JPEG."""
        request = camera_service_pb2.CaptureFrameRequest(format=self._wanted)
        stub = self._robot.stub(self.name, camera_service_pb2_grpc.CameraServiceStub)
        response = self._robot.ask(self.name, stub.CaptureFrame, request, timeout)
        made: Any = picture(response.frame.data, info_of(response.frame))
        taken: P = made
        self._robot.seen[self.name] = made.capture_time
        return taken

    def close(self) -> None:
        """Ends all loops over this camera."""
        for reading in list(self._readings):
            reading.close()

    def __enter__(self) -> Camera[P]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _taken(self, item: Any, lost: int) -> Any:
        """Returns the picture that the program gets: who drives by this camera has seen it."""
        made = _made(item, lost)
        if made is not None:
            self._robot.seen[self.name] = made.capture_time
        return made

    def _new_feed(self) -> Feed[P]:
        if self._alone:
            return Feed(self._shared, _newest, MostRecentSubscription)
        return Feed(self._shared, _newest, QueueSubscription)  # a frame needs those before it

    def _reader(self) -> Loop[Any]:
        with self._lock:
            if self._loop is None:
                self._loop = self.frames()
            return self._loop

    def _reading(self) -> Reading[Any]:
        counted = _Counted()

        def call(in_memory: bool) -> Any:
            return stream(camera_service_pb2.StreamFramesRequest(format=wanted, shared_memory=in_memory))

        def begin() -> Any:
            counted.again()
            return sharing.begin(call)

        robot, name, wanted, sharing = self._robot, self.name, self._wanted, self._sharing
        stream = robot.channel(name).unary_stream(
            "/waldo.camera.v1.CameraService/StreamFrames",
            request_serializer=camera_service_pb2.StreamFramesRequest.SerializeToString,
            response_deserializer=step_of,
        )
        reading: Reading[Any] = Reading(robot.events, name, "pictures", begin, counted.convert)
        robot.adopt(name, reading)
        return reading


class _Counted:
    """Makes pictures of responses, and counts losses over all calls of a reading."""

    def __init__(self) -> None:
        self._before = self._in_call = 0

    def again(self) -> None:
        self._before, self._in_call = self._before + self._in_call, 0

    def convert(self, step: Step) -> tuple[Info, bytes | memoryview | shared.Place]:
        self._in_call = step.response.dropped_count
        return info_of(step.frame, self._before + self._in_call), step.place or step.data


def _made(item: Any, lost: int) -> Any:
    """Returns a picture, or None if it was in shared memory and is not there any more."""
    info, data = item
    if isinstance(data, shared.Place):
        data = data.copy()
    return None if data is None else picture(data, dropping(info, lost))


def _newest(item: Any) -> Any:
    return _made(item, 0)
