"""Pictures of cameras: decoded, one for each row, and encoded again at a fixed rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from waldo.errors import InvalidRequest
from waldo.lerobot._recording import Item
from waldo.media.v1 import media_pb2

Picture = npt.NDArray[np.uint8]

_DECODERS = {"video/H264": "h264", "video/H265": "hevc", "video/VP8": "vp8", "image/jpeg": "mjpeg"}
_RAW = {"I420": "yuv420p", "NV12": "nv12", "YUYV": "yuyv422", "BGR24": "bgr24"}
# Bounds of a picture's side, in pixels.
_MIN_SIDE, _MAX_SIDE = 2, 8192


class Decoder:
    """Makes RGB pictures of a stream of frames."""

    def __init__(self) -> None:
        self._format = ""
        self._codec: Any = None

    def frames(self, items: Iterable[Item]) -> Iterator[tuple[int, Any]]:
        """The pictures, as PyAV has them, with their times."""
        for item in items:
            frame = media_pb2.VideoFrame()
            try:
                frame.ParseFromString(item.data)
            except ValueError:
                continue  # it is no picture
            yield from self._decode(frame, item.time)
        if self._codec is not None:
            yield from self._pictures(None)

    def _decode(self, frame: media_pb2.VideoFrame, time: int) -> Iterator[tuple[int, Any]]:
        media_type = frame.format.media_type
        if media_type == "video/raw":
            for picture in self._raw(frame):
                yield time, picture
            return
        if media_type not in _DECODERS:
            raise InvalidRequest(f"pictures of {media_type} cannot be decoded: record another stream of the camera")
        if media_type != self._format:
            if not frame.key_frame and media_type != "image/jpeg":
                return
            self._codec = av.CodecContext.create(_DECODERS[media_type], "r")
            self._codec.thread_count = 1  # several threads keep pictures back until others have followed
            self._format = media_type
        packet = av.Packet(frame.data)
        packet.pts = time // 1000  # it comes back with the picture, which can be later than the next ones
        yield from self._pictures(packet)

    def _pictures(self, packet: Any) -> Iterator[tuple[int, Any]]:
        try:
            pictures = self._codec.decode(packet)
        except av.error.FFmpegError:
            return  # a frame that is damaged, or comes before a key frame
        for picture in pictures:
            if picture.pts is not None:
                yield picture.pts * 1000, picture

    def _raw(self, frame: media_pb2.VideoFrame) -> list[Any]:
        f, pixels = frame.format, _RAW.get(frame.format.pixel_format)
        if pixels is None or not (_MIN_SIDE <= f.width_px <= _MAX_SIDE and _MIN_SIDE <= f.height_px <= _MAX_SIDE):
            return []
        picture = av.VideoFrame(f.width_px, f.height_px, pixels)
        data = np.frombuffer(frame.data, np.uint8)
        rows = {"yuv420p": (1, 2, 2), "nv12": (1, 2)}.get(pixels, (1,))
        widths = {"yuv420p": (1, 2, 2), "nv12": (1, 1), "yuyv422": (0.5,), "bgr24": (1 / 3,)}[pixels]
        at = 0
        for plane, row, width in zip(picture.planes, rows, widths):
            height, line = -(-f.height_px // row), int(-(-f.width_px // width) if width >= 1 else f.width_px / width)
            if pixels == "nv12" and row == 2:
                line = -(-f.width_px // 2) * 2
            if at + height * line > len(data):
                return []
            padded = np.zeros((height, plane.line_size), np.uint8)
            padded[:, :line] = data[at : at + height * line].reshape(height, line)
            plane.update(padded.tobytes())
            at += height * line
        return [picture]


class Writer:
    """Writes pictures to an MP4 file at a fixed rate."""

    def __init__(self, path: Path, width: int, height: int, fps: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.frames = 0
        self._container: Any = av.open(str(path), "w", options={"movflags": "faststart"})
        self._stream: Any = self._container.add_stream("libx264", rate=fps)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        # Training reads pictures in any order: key frames close to one another, as LeRobot's own datasets have them.
        self._stream.options = {"g": "2", "crf": "23", "bf": "0", "preset": "veryfast"}
        self._stream.time_base = Fraction(1, fps)
        self._fps = fps

    def write(self, picture: Picture) -> None:
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = self.frames, Fraction(1, self._fps)
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def close(self) -> None:
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            self._container = None


def rgb(picture: Any, width: int, height: int) -> Picture:
    """The pixels of a picture, in a size."""
    found: Picture = picture.to_ndarray(format="rgb24", width=width, height=height)
    return found
