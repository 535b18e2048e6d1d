"""Responses are read as protobuf reads them, without copying their pictures."""

from __future__ import annotations

import random

import pytest
from google.protobuf.message import DecodeError

from waldo import _wire
from waldo.camera.v1 import camera_service_pb2
from waldo.frame import Packet, info_of
from waldo.media.v1 import media_pb2
from waldo.sound import OpusPacket, _made

LARGE = bytes(_wire._WORTH_IT)


def response(data: bytes) -> camera_service_pb2.StreamFramesResponse:
    frame = media_pb2.VideoFrame(
        epoch=1 << 62, sequence=7, format=media_pb2.VideoFormat(media_type="video/raw", width_px=3), data=data,
        metadata={"exposure": "1/60", "empty": ""}, key_frame=True,
    )
    frame.capture_time.FromMilliseconds(1234567)
    return camera_service_pb2.StreamFramesResponse(
        frame=frame, dropped_count=3, shared=camera_service_pb2.SharedPicture(path="/proc/1/fd/3", length=1 << 40)
    )


def whole(step: _wire.Step) -> camera_service_pb2.StreamFramesResponse:
    joined = camera_service_pb2.StreamFramesResponse()
    joined.CopyFrom(step.response)
    if step.data or step.frame.ListFields():
        joined.frame.CopyFrom(step.frame)
        joined.frame.data = bytes(step.data)
    return joined


@pytest.mark.parametrize("data", [b"", b"small", LARGE, LARGE * 40], ids=len)
def test_nothing_is_lost(data: bytes) -> None:
    sent = response(data)
    step = _wire.step_of(sent.SerializeToString())
    assert whole(step) == sent
    assert isinstance(step.data, memoryview) == (len(data) >= _wire._WORTH_IT)


def test_fields_that_this_package_does_not_know_are_no_trouble() -> None:
    newer = b"\xfa\x01\x03abc" + b"\x90\x03\x07" + b"\x9d\x03abcd" + b"\x99\x03abcdefgh"
    frame = response(LARGE).frame.SerializeToString() + newer
    raw = newer + b"\x0a" + _length(len(frame)) + frame + newer
    step = _wire.step_of(raw)
    assert isinstance(step.data, memoryview)
    assert (bytes(step.data), step.frame.sequence) == (LARGE, 7)


def test_a_field_that_comes_twice_means_what_it_means_to_protobuf() -> None:
    raw = response(LARGE).SerializeToString() * 2
    step = _wire.step_of(raw)
    assert whole(step) == camera_service_pb2.StreamFramesResponse.FromString(raw)


def test_rubbish_is_refused_as_protobuf_refuses_it() -> None:
    raw, rng = response(LARGE).SerializeToString(), random.Random(1)
    for _ in range(3000):
        broken = bytearray(raw)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(100) if rng.random() < 0.8 else rng.randrange(len(broken))
            broken[at] = rng.randrange(256)
        if rng.random() < 0.3:
            del broken[rng.randrange(len(broken)) :]
        try:
            expected = camera_service_pb2.StreamFramesResponse.FromString(bytes(broken))
        except DecodeError:
            with pytest.raises(DecodeError):
                _wire.step_of(bytes(broken))
            continue
        assert whole(_wire.step_of(bytes(broken))) == expected


def _length(n: int) -> bytes:
    encoded = bytearray()
    while n > 0x7F:
        encoded.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(encoded + bytes([n]))


def test_replays_keep_the_captured_time_and_are_not_old() -> None:
    frame = media_pb2.VideoFrame()
    frame.capture_time.FromSeconds(1234)
    frame.replay_time.GetCurrentTime()
    for made in (Packet(b"x", info_of(frame)), replayed_sound()):
        assert made.capture_time == 1234
        assert 0 <= made.age < 60


def replayed_sound() -> OpusPacket:
    frame = media_pb2.AudioFrame(format=media_pb2.AudioFormat(media_type="audio/opus"))
    frame.capture_time.FromSeconds(1234)
    frame.replay_time.GetCurrentTime()
    made = _made((frame, 0), 0)
    assert isinstance(made, OpusPacket)
    return made
