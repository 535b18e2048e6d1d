"""Devices that are older or newer than this package, and messages of all sizes, served by a device made here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

import waldo
from tests.live import SOON, Heard
from waldo.camera.v1 import camera_service_pb2
from waldo.channels import MAX_MESSAGE
from waldo.device.v1 import device_pb2, device_service_pb2
from waldo.media.v1 import media_pb2

# A field that no version has, of each kind of encoding.
UNKNOWN = b"\xf8\xff\x7f\x07" + b"\xf9\xff\x7fabcdefgh" + b"\xfa\xff\x7f\x03abc" + b"\xfd\xff\x7fabcd"


class Device:
    """A camera that is called front; its streams are made of bytes."""

    def __init__(self, *answers: Callable[[], Iterator[bytes]]) -> None:
        self.answers = list(answers)
        self.server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", -1)])
        self.serve("waldo.device.v1.DeviceService", GetDevice=grpc.unary_unary_rpc_method_handler(self.describe))
        if answers:
            self.serve("waldo.camera.v1.CameraService", StreamFrames=grpc.unary_stream_rpc_method_handler(self.stream))
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def serve(self, service: str, **methods: Any) -> None:
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))

    def describe(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        device = device_pb2.Device(robot="rover", name="front", kind="camera", epoch=1)
        device.MergeFromString(UNKNOWN)
        return device_service_pb2.GetDeviceResponse(device=device).SerializeToString()

    def stream(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield from (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])()
        if len(self.answers) > 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the device is stopping")

    def __enter__(self) -> waldo.Robot:
        self.robot = waldo.Robot(self.address, token="", timeout=SOON)
        return self.robot

    def __exit__(self, *_: object) -> None:
        self.robot.close()
        self.server.stop(0).wait()


def frame(width: int = 4, height: int = 2, sequence: int = 0, **fields: Any) -> bytes:
    form = media_pb2.VideoFormat(media_type="video/raw", pixel_format="BGR24", width_px=width, height_px=height)
    picture = media_pb2.VideoFrame(
        epoch=1, sequence=sequence, format=form, data=bytes(width * height * 3), key_frame=True
    )
    picture.MergeFrom(media_pb2.VideoFrame(**fields))
    return camera_service_pb2.StreamFramesResponse(frame=picture).SerializeToString()


def test_a_device_that_does_not_know_the_method_is_an_error_that_says_so() -> None:
    with Device() as robot:
        with pytest.raises(waldo.Unsupported, match="older than this package"):
            next(iter(robot.camera("front")))
        with pytest.raises(waldo.Unsupported, match="older than this package"):
            robot.camera("front").snapshot()
        with pytest.raises(waldo.Unsupported, match="older than this package"), robot.drive("front"):
            pass


def test_fields_of_newer_devices_are_passed_over() -> None:
    with Device(lambda: iter([frame() + UNKNOWN, frame(500, 400, 1) + UNKNOWN])) as robot:
        frames = robot.camera("front").frames()
        assert frames.take(SOON).shape == (2, 4, 3)
        assert frames.take(SOON).shape == (400, 500, 3), "a camera may change its size"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"format": media_pb2.VideoFormat(pixel_format="P010")}, "'P010' is not known here: is this package older"),
        ({"data": b"short"}, "a picture of 4x2 in BGR24 has 5 bytes, not 24"),
    ],
)
def test_pictures_that_cannot_be_read(fields: dict[str, Any], text: str) -> None:
    with Device(lambda: iter([frame(**fields)])) as robot, pytest.raises(waldo.WaldoError, match=text):
        next(iter(robot.camera("front")))


def test_rubbish_from_a_device_is_an_error() -> None:
    def rubbish() -> Iterator[bytes]:
        yield b"\xff" * 10

    with Device(rubbish) as robot, pytest.raises(waldo.WaldoError):
        next(iter(robot.camera("front")))


def test_large_pictures_come_through() -> None:
    with Device(lambda: iter([frame(5120, 4096)])) as robot:
        assert next(iter(robot.camera("front"))).shape == (4096, 5120, 3)


def test_a_message_above_the_limit_is_an_error_that_names_it() -> None:
    with Device(lambda: iter([frame(8192, 8192)])) as robot:
        with pytest.raises(waldo.WaldoError, match=f"{MAX_MESSAGE}") as raised:
            next(iter(robot.camera("front")))
        assert raised.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_call_that_ends_is_made_again() -> None:
    with Device(
        lambda: iter([frame(sequence=1)]), lambda: iter([frame(sequence=2)]), lambda: iter([frame(sequence=3)])
    ) as robot:
        heard = Heard(robot)
        frames = robot.camera("front").frames()
        assert [frames.take(SOON).sequence for _ in range(3)] == [1, 2, 3]
        assert "the device is stopping" in heard.wait("front", "lost").text


def test_a_refusal_without_a_report_is_told_as_it_is() -> None:
    def acquire(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not on a Sunday")

    device = Device()
    device.serve("waldo.control.v1.ControlService", Acquire=grpc.unary_unary_rpc_method_handler(acquire))
    with device as robot, pytest.raises(waldo.Refused, match="not on a Sunday"), robot.drive("front"):
        pass
