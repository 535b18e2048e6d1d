"""Pictures: numpy arrays and encoded packets that know where and when they were captured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from waldo._captured import Captured
from waldo.errors import WaldoError
from waldo.media.v1 import media_pb2


@dataclass(frozen=True)
class Info:
    """What is known of a picture beside its bytes."""

    epoch: int = 0
    sequence: int = 0
    capture_time: float = 0.0
    received: float = field(default_factory=time.monotonic)
    key_frame: bool = True
    media_type: str = ""
    pixel_format: str = ""
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    dropped: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    replay_time: float = 0.0  # 0 if it is not replayed


class _Described(Captured):
    """The attributes that pictures and packets have."""

    info: Info

    @property
    def key_frame(self) -> bool:
        """Whether decoding can start here; always true for JPEG and raw pictures."""
        return self.info.key_frame

    @property
    def metadata(self) -> Mapping[str, str]:
        """Annotations by the device; may be empty."""
        return self.info.metadata


class Frame(_Described, np.ndarray[Any, np.dtype[np.uint8]]):
    """A picture as a numpy array of uint8, as OpenCV has it: (height, width, 3) for BGR. It can be written to. What is
    computed from it keeps its attributes."""

    def __new__(cls, array: Any, info: Info | None = None) -> Frame:
        frame = np.asarray(array).view(cls)
        frame.info = info or Info()
        return frame

    def __array_finalize__(self, source: Any) -> None:
        self.info = getattr(source, "info", None) or Info()

    def __reduce_ex__(self, protocol: Any) -> Any:
        # As a plain array, whose memory pickle can hand over without a copy.
        return type(self), (np.asarray(self), self.info)


class Packet(_Described, bytes):
    """An encoded picture: one JPEG, or one access unit of H.264 in Annex B, or one frame of VP8."""

    def __new__(cls, data: bytes, info: Info | None = None) -> Packet:
        packet = super().__new__(cls, data)
        packet.info = info or Info()
        return packet

    def __reduce__(self) -> Any:
        return Packet, (bytes(self), self.info)

    @property
    def width(self) -> int:
        """In pixels."""
        return self.info.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self.info.height


def info_of(frame: media_pb2.VideoFrame, dropped: int = 0) -> Info:
    """Returns what a message says of its picture."""
    taken, replayed, form = frame.capture_time, frame.replay_time, frame.format
    return Info(
        epoch=frame.epoch,
        sequence=frame.sequence,
        capture_time=taken.seconds + taken.nanos / 1e9,
        key_frame=frame.key_frame,
        media_type=form.media_type,
        pixel_format=form.pixel_format,
        width=form.width_px,
        height=form.height_px,
        frame_rate=form.frame_rate_hz,
        dropped=dropped,
        metadata=dict(frame.metadata),
        replay_time=replayed.seconds + replayed.nanos / 1e9,
    )


def picture(data: bytes | bytearray | memoryview | np.ndarray[Any, np.dtype[np.uint8]], info: Info) -> Frame | Packet:
    """Makes a picture of the bytes of a message, or of an array that is the picture's alone. Raw bytes are copied, so
    that they can be written to."""
    if info.media_type != "video/raw":
        return Packet(bytes(data), info)
    shape = shape_of(info)
    flat = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
    if flat.size != np.prod(shape):
        what = f"a picture of {info.width}x{info.height} in {info.pixel_format}"
        raise WaldoError(f"{what} has {flat.size} bytes, not {np.prod(shape)}")
    made = flat.reshape(shape)
    return Frame(made if flat is data else made.copy(), info)


def shape_of(info: Info) -> tuple[int, ...]:
    """Returns the shape of a raw picture, which is the one that OpenCV's conversions take."""
    width, height = info.width, info.height
    if info.pixel_format == "BGR24":
        return height, width, 3
    if info.pixel_format == "YUYV":
        return height, width, 2
    if info.pixel_format in ("I420", "NV12"):
        chroma = ((width + 1) // 2) * ((height + 1) // 2)
        if width % 2 == 0 and height % 2 == 0:
            return height * 3 // 2, width
        return (width * height + 2 * chroma,)
    raise WaldoError(f"pixel format {info.pixel_format!r} is not known here: is this package older than the device?")


def dropping(info: Info, more: int) -> Info:
    """Returns info with more losses, those of the way from the reading thread to the loop."""
    return replace(info, dropped=info.dropped + more) if more else info
