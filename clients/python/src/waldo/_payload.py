"""What a program publishes, as steps of PeerService.Publish: pictures, sound, messages. What cannot be published raises
InvalidRequest, which names what is wrong and the remedy."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf import struct_pb2

from waldo.errors import InvalidRequest
from waldo.frame import Frame, Info, Packet, shape_of
from waldo.media.v1 import media_pb2
from waldo.peer.v1 import peer_pb2
from waldo.sound import raw_samples

#: Bounds of the device: bytes of a picture and of a message, levels of a message, pixels of a side.
MAX_PICTURE, MAX_MESSAGE, MAX_DEPTH, MAX_SIDE = 64 << 20, 1 << 20, 30, 8192
#: Whole numbers beyond this are not exact in JSON.
MAX_WHOLE = 1 << 53
# The longest piece of sound in one step, in seconds.
_PIECE = 0.2

VIDEO, AUDIO, MESSAGES = "video", "audio", "messages"

# Tags of PublishRequest.video and VideoFrame.data.
_VIDEO, _DATA = 2 << 3 | 2, 6 << 3 | 2

# Luminance of a gray value: full range to that of video (ITU-R BT.601).
_LUMA = np.round(16 + np.arange(256) * 219 / 255).astype(np.uint8)

_ENCODED = {"image/jpeg", "video/H264", "video/VP8"}


#: A sign of life.
IDLE = peer_pb2.PublishRequest(idle=peer_pb2.Idle()).SerializeToString()


def begin(name: str, take: bool) -> bytes:
    """Returns the step that asks for the device."""
    main = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else ""
    program = main if main not in ("", "-c", "-m") else "Python"
    who = peer_pb2.Publisher(name=_printable(name), program=_printable(program))
    return peer_pb2.PublishRequest(begin=peer_pb2.BeginRequest(publisher=who, take=take)).SerializeToString()


def end(reason: str) -> bytes:
    """Returns the last step."""
    return peer_pb2.PublishRequest(end=peer_pb2.End(reason=reason)).SerializeToString()


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:64]


@dataclass
class Item:
    """Something to publish."""

    kind: str
    #: The steps, serialized.
    steps: list[bytes]
    #: Decoding can start here.
    key: bool = True


def kind_of(value: Any, rate: int) -> str:
    """Returns what something is by its type."""
    if rate:
        return AUDIO
    if isinstance(value, (np.ndarray, bytes, bytearray, memoryview)):
        return VIDEO
    if value is None or isinstance(value, (Mapping, list, tuple, str, bool, int, float, np.generic)):
        return MESSAGES
    raise InvalidRequest(
        f"a {type(value).__name__} cannot be published: pictures are numpy arrays of uint8 (for an image of PIL "
        "numpy.asarray(image)[:, :, ::-1]) or the bytes of a JPEG; messages are what JSON has"
    )


def item_of(value: Any, kind: str, number: int, rate: int, fps: float) -> Item:
    """Returns what is published for a value. Number is its position among those that were given."""
    found = kind_of(value, rate)
    if found != kind:
        raise InvalidRequest(
            f"a {type(value).__name__} cannot follow what came before: what carries {kind} cannot carry {found}"
        )
    if kind == AUDIO:
        return Item(AUDIO, _sound(value, rate))
    if kind == MESSAGES:
        return Item(MESSAGES, [_message(value)])
    return _picture(value, number, fps)


def _picture(value: Any, number: int, fps: float) -> Item:
    info = value.info if isinstance(value, (Frame, Packet)) else Info()
    format, data = _raw(value, info) if isinstance(value, np.ndarray) else _encoded(value, info)
    format.frame_rate_hz = fps
    frame = media_pb2.VideoFrame(format=format, sequence=number, key_frame=info.key_frame, metadata=dict(info.metadata))
    frame.capture_time.FromNanoseconds(int((info.capture_time or time.time()) * 1e9))
    if len(data) > MAX_PICTURE:
        raise InvalidRequest(
            f"the picture has {len(data)} bytes, the limit is {MAX_PICTURE}: scale it down, or publish JPEG"
        )
    return Item(VIDEO, [_step(frame, data)], info.key_frame)


def _step(frame: media_pb2.VideoFrame, data: memoryview) -> bytes:
    """Serializes a step with a picture, copying that once: protobuf would do it three times."""
    head = frame.SerializeToString() + bytes([_DATA]) + _varint(len(data))
    return b"".join((bytes([_VIDEO]), _varint(len(head) + len(data)), head, data))


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def _raw(array: np.ndarray[Any, Any], info: Info) -> tuple[media_pb2.VideoFormat, memoryview]:
    if array.dtype != np.uint8:
        remedy = "frame.astype(numpy.uint8)"
        if array.dtype.kind == "f":
            remedy = "(frame * 255).astype(numpy.uint8) if its values are 0 to 1"
        raise InvalidRequest(f"dtype of the picture is {array.dtype}, must be uint8: use {remedy}")
    if info.media_type == "video/raw" and info.pixel_format != "BGR24" and shape_of(info) == array.shape:
        return _format(info.width, info.height, info.pixel_format), _bytes(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 2:
        height, width = _side("rows", array.shape[0]), _side("columns", array.shape[1])
        chroma = 2 * ((width + 1) // 2) * ((height + 1) // 2)
        planes = np.full(width * height + chroma, 128, np.uint8)
        planes[: width * height] = _LUMA[array].reshape(-1)
        return _format(width, height, "I420"), _bytes(planes)
    if array.ndim != 3 or array.shape[2] != 3:
        remedy = ": leave out the alpha channel, frame[:, :, :3]" if array.ndim == 3 and array.shape[2] == 4 else ""
        raise InvalidRequest(
            f"shape of the picture is {array.shape}, must be (height, width, 3) for BGR or (height, width) for "
            f"gray{remedy}"
        )
    return _format(_side("columns", array.shape[1]), _side("rows", array.shape[0]), "BGR24"), _bytes(array)


def _side(what: str, n: int) -> int:
    if not 2 <= n <= MAX_SIDE:
        raise InvalidRequest(f"shape of the picture: it has {n} {what}, must have 2 to {MAX_SIDE}")
    return n


def _bytes(array: np.ndarray[Any, Any]) -> memoryview:
    """Returns the bytes of an array in the order of its elements; they are copied if they are not in that order."""
    return np.ascontiguousarray(array).reshape(-1).data.cast("B")


def _format(width: int, height: int, pixels: str) -> media_pb2.VideoFormat:
    return media_pb2.VideoFormat(media_type="video/raw", pixel_format=pixels, width_px=width, height_px=height)


def _encoded(value: Any, info: Info) -> tuple[media_pb2.VideoFormat, memoryview]:
    data = memoryview(value).cast("B")
    media_type = info.media_type or "image/jpeg"
    if media_type not in _ENCODED:
        raise InvalidRequest(f"media type of the picture is {media_type}, must be one of {', '.join(sorted(_ENCODED))}")
    if media_type == "image/jpeg" and bytes(data[:2]) != b"\xff\xd8":
        raise InvalidRequest(
            f"the {len(data)} bytes are not a JPEG: publish what cv2.imencode('.jpg', frame)[1].tobytes() returns, or "
            "the array itself"
        )
    return media_pb2.VideoFormat(media_type=media_type), data


def _sound(value: Any, rate: int) -> list[bytes]:
    data, layout, channels = raw_samples(value)
    form = media_pb2.AudioFormat(media_type="audio/raw", sample_format=layout, sample_rate_hz=rate, channels=channels)
    size = max(1, round(rate * _PIECE)) * channels * (4 if layout == "F32LE" else 2)
    return [
        peer_pb2.PublishRequest(audio=media_pb2.AudioFrame(format=form, data=data[at : at + size])).SerializeToString()
        for at in range(0, len(data), size)
    ]


def _message(value: Any) -> bytes:
    made = peer_pb2.Message(value=struct_pb2.Value())
    _fill(made.value, value, "message", MAX_DEPTH)
    made.time.FromNanoseconds(time.time_ns())
    size = made.value.ByteSize()
    if size > MAX_MESSAGE:
        raise InvalidRequest(f"the message has {size} bytes, the limit is {MAX_MESSAGE}: publish less at a time")
    return peer_pb2.PublishRequest(message=made).SerializeToString()


def _fill(to: struct_pb2.Value, value: Any, path: str, depth: int) -> None:
    """Makes a Value. Path is where in the message it is, for errors."""
    if depth == 0:
        raise InvalidRequest(f"{path} is nested more than {MAX_DEPTH} deep: flatten the message")
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, np.ndarray):
        value = value.tolist()
    if value is None:
        to.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        to.bool_value = value
    elif isinstance(value, (int, float)):
        to.number_value = _number(value, path)
    elif isinstance(value, str):
        to.string_value = value
    elif isinstance(value, Mapping):
        to.struct_value.SetInParent()
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidRequest(f"{path} has the key {key!r}: the keys of JSON are strings, use str(key)")
            _fill(to.struct_value.fields[key], item, f"{path}[{key!r}]", depth - 1)
    elif isinstance(value, (list, tuple)):
        to.list_value.SetInParent()
        for i, item in enumerate(value):
            _fill(to.list_value.values.add(), item, f"{path}[{i}]", depth - 1)
    else:
        raise InvalidRequest(
            f"{path} is a {type(value).__name__}: use what JSON has, dict, list, str, float, int, bool or None"
        )


def _number(value: float, path: str) -> float:
    if isinstance(value, int):
        if abs(value) > MAX_WHOLE:
            raise InvalidRequest(f"{path} is {value}, which is not exact in JSON: publish it as a string")
    elif not math.isfinite(value):
        raise InvalidRequest(f"{path} is {value}, which JSON does not have: publish None or a string")
    return float(value)
