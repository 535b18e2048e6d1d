"""What is published, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format

from waldo._payload import MAX_PICTURE, begin, end, item_of, kind_of
from waldo.errors import InvalidRequest
from waldo.frame import Frame, Info, Packet
from waldo.media.v1 import media_pb2
from waldo.peer.v1 import peer_pb2


def frame_of(value: Any, fps: float = 0.0) -> media_pb2.VideoFrame:
    item = item_of(value, "video", 7, 0, fps)
    (step,) = item.steps
    return peer_pb2.PublishRequest.FromString(step).video


def described(frame: media_pb2.VideoFrame) -> tuple[str, str, int, int]:
    form = frame.format
    return form.media_type, form.pixel_format, form.width_px, form.height_px


def test_bgr() -> None:
    array = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    frame = frame_of(array, 5.0)
    assert described(frame) == ("video/raw", "BGR24", 3, 2)
    assert frame.data == array.tobytes()
    assert (frame.sequence, frame.key_frame, frame.format.frame_rate_hz) == (7, True, 5.0)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::-1],  # upside down
        lambda a: a[:, :, ::-1],  # RGB
        lambda a: a[::2, ::2],
        lambda a: a.transpose(1, 0, 2),
        lambda a: np.asfortranarray(a),
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: a[:4, :4].view(np.ndarray),
    ],
)
def test_arrays_that_are_not_contiguous(view: Any) -> None:
    array = view(np.random.default_rng(1).integers(0, 256, (8, 10, 3), np.uint8))
    frame = frame_of(array)
    assert frame.data == b"".join(bytes(row.tobytes()) for row in array)
    assert described(frame)[2:] == (array.shape[1], array.shape[0])


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (5, 7), (5, 7, 1)])
def test_gray(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, np.uint8)
    array[0] = 255
    frame = frame_of(array)
    height, width = shape[:2]
    assert described(frame) == ("video/raw", "I420", width, height)
    planes = np.frombuffer(frame.data, np.uint8)
    assert len(planes) == width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
    assert list(planes[:width]) == [235] * width  # white, as video has it
    assert set(planes[width : width * height]) == {16}
    assert set(planes[width * height :]) == {128}


def test_pictures_of_a_camera_keep_what_is_known_of_them() -> None:
    info = Info(
        capture_time=1000.5, media_type="video/raw", pixel_format="BGR24", width=4, height=2, metadata={"a": "b"}
    )
    frame = frame_of(Frame(np.zeros((2, 4, 3), np.uint8), info) + 1)
    assert (frame.capture_time.seconds, frame.capture_time.nanos) == (1000, 500_000_000)
    assert dict(frame.metadata) == {"a": "b"}
    planar = Info(media_type="video/raw", pixel_format="I420", width=4, height=2)
    assert described(frame_of(Frame(np.zeros((3, 4), np.uint8), planar))) == ("video/raw", "I420", 4, 2)
    # What was computed from it and has another size is what its shape says.
    assert described(frame_of(Frame(np.zeros((2, 4, 3), np.uint8), planar)[:, :, 1])) == ("video/raw", "I420", 4, 2)
    assert described(frame_of(Frame(np.zeros((6, 4, 3), np.uint8), planar))) == ("video/raw", "BGR24", 4, 6)
    packet = Packet(b"\x00\x00\x01\x65", Info(media_type="video/H264", key_frame=False, sequence=3))
    frame = frame_of(packet)
    assert (frame.format.media_type, frame.key_frame, frame.sequence) == ("video/H264", False, 7)


def test_jpeg() -> None:
    for data in (b"\xff\xd8\xff\xd9", bytearray(b"\xff\xd8\xff\xd9"), memoryview(b"\xff\xd8\xff\xd9")):
        frame = frame_of(data)
        assert described(frame) == ("image/jpeg", "", 0, 0)
        assert frame.data == b"\xff\xd8\xff\xd9"


def zeros(*shape: int, dtype: Any = np.uint8) -> Any:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (zeros(4, 4, 3, dtype=np.float32), r"dtype .* float32, must be uint8: use \(frame \* 255\)\.astype"),
        (zeros(4, 4, 3, dtype=np.float64), r"float64, must be uint8"),
        (zeros(4, 4, 3, dtype=np.uint16), r"uint16, must be uint8: use frame\.astype"),
        (zeros(4, 4, 3, dtype=bool), r"bool, must be uint8"),
        (zeros(4, 4, 4), r"shape .* \(4, 4, 4\).*alpha channel, frame\[:, :, :3\]"),
        (zeros(4, 4, 2), r"shape .* \(4, 4, 2\), must be \(height, width, 3\)"),
        (zeros(4), r"shape .* \(4,\)"),
        (zeros(2, 4, 4, 3), r"shape .* \(2, 4, 4, 3\)"),
        (zeros(0, 0, 3), r"0 columns, must have 2 to 8192"),
        (zeros(4, 1, 3), r"1 columns"),
        (zeros(8193, 2), r"8193 rows"),
        (b"", r"the 0 bytes are not a JPEG"),
        (b"\x89PNG", r"are not a JPEG: publish what cv2\.imencode"),
        (Packet(b"x", Info(media_type="video/H265")), r"video/H265, must be one of"),
    ],
)
def test_pictures_that_are_refused(value: Any, want: str) -> None:
    with pytest.raises(InvalidRequest, match=want):
        frame_of(value)


def test_the_largest_picture() -> None:
    with pytest.raises(InvalidRequest, match="the limit is 67108864: scale it down"):
        frame_of(np.broadcast_to(np.uint8(0), (8192, 2731, 3)))
    frame = frame_of(b"\xff\xd8" + bytes(MAX_PICTURE - 2))
    assert len(frame.data) == MAX_PICTURE


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1.5,
        "text",
        [],
        {},
        {"a": [1, "b", None, {"c": (True, 2.5)}], "": {}},
        np.float32(0.5),
        np.int64(3),
        {"position": np.array([1.0, 2.0]), "left": np.uint8(4)},
        9007199254740992,
    ],
)
def test_messages(value: Any) -> None:
    (step,) = item_of(value, "messages", 0, 0, 0).steps
    message = peer_pb2.PublishRequest.FromString(step).message
    assert message.time.seconds > 1_700_000_000
    assert json_format.MessageToDict(message.value) == plain(value)


def plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def deep(n: int) -> Any:
    value: Any = 1
    for _ in range(n):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ({"a": {"b": {1, 2}}}, r"message\['a'\]\['b'\] is a set: use what JSON has"),
        ({1: 2}, r"message has the key 1: the keys of JSON are strings"),
        ([float("nan")], r"message\[0\] is nan, which JSON does not have"),
        ([1, float("inf")], r"message\[1\] is inf"),
        (1 << 60, r"is not exact in JSON: publish it as a string"),
        (["x" * (1 << 20)], r"the limit is 1048576"),
        (deep(31), r"nested more than 30 deep"),
        ({"a": b"bytes"}, r"message\['a'\] is a bytes"),
    ],
)
def test_messages_that_are_refused(value: Any, want: str) -> None:
    with pytest.raises(InvalidRequest, match=want):
        item_of(value, "messages", 0, 0, 0)


def test_the_deepest_message_can_be_read() -> None:
    (step,) = item_of(deep(29), "messages", 0, 0, 0).steps
    assert peer_pb2.PublishRequest.FromString(step).message.value.list_value.values


def test_sound() -> None:
    item = item_of(np.zeros((16000, 2), np.int16), "audio", 0, 16000, 0)
    frames = [peer_pb2.PublishRequest.FromString(step).audio for step in item.steps]
    assert len(frames) == 5
    assert {(f.format.sample_format, f.format.sample_rate_hz, f.format.channels, len(f.data)) for f in frames} == {
        ("S16LE", 16000, 2, 12800)
    }
    with pytest.raises(InvalidRequest, match="float from -1 to 1, or int16"):
        item_of(np.zeros(10, np.int32), "audio", 0, 16000, 0)


@pytest.mark.parametrize(
    ("first", "then"),
    [(zeros(4, 4, 3), {"a": 1}), ({"a": 1}, zeros(4, 4, 3)), ("text", b"\xff\xd8")],
)
def test_what_cannot_be_mixed(first: Any, then: Any) -> None:
    with pytest.raises(InvalidRequest, match="cannot follow what came before"):
        item_of(then, kind_of(first, 0), 1, 0, 0)


@pytest.mark.parametrize("value", [object(), {1}, range(3), 1j])
def test_what_is_nothing(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=re.escape("cannot be published: pictures are numpy arrays")):
        kind_of(value, 0)


def test_who_begins_and_why_it_ends() -> None:
    who = peer_pb2.PublishRequest.FromString(begin("Ann\x1b" + "n" * 100, True)).begin
    assert who.take
    assert who.publisher.name.startswith("Ann?n")
    assert len(who.publisher.name) == 64
    assert who.publisher.program
    assert peer_pb2.PublishRequest.FromString(end("why")).end.reason == "why"
