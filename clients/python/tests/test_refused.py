"""What the bus refuses, with a real robot and tokens of its store."""

from __future__ import annotations

import logging
import os
import subprocess
import time

import pytest

import waldo
from tests.live import SOON, Place, program
from waldo import _refused
from waldo.bus import Bus
from waldo.control.v1 import control_service_pb2
from waldo.device.v1 import device_pb2, device_service_pb2
from waldo.message.v1 import message_pb2


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('nats: permissions violation for publish to "a.b"', ("publish", "a.b")),
        ('Permissions Violation for Subscription to "A.>" using queue "q"', ("subscribe", "a.>")),
        ('Permissions Violation for Publish with Reply of "x"', None),
        ("authorization violation", None),
        ("", None),
    ],
)
def test_refusals_are_read(text: str, want: tuple[str, str] | None) -> None:
    assert _refused.refusal(text) == want


@pytest.mark.parametrize(
    ("token", "want"),
    [
        ("waldo_abcdefghij_ABCDEFGHIJKLMNOPQRSTUVWXYZ", "_INBOX.abcdefghij"),
        ("QYX7DZSJ2EWLTF5PAUZM3N6CKA", "_INBOX"),
        ("waldo_a.b_ABC", "_INBOX"),
        ("waldo_abc_ABC\n", "_INBOX"),
        ("", "_INBOX"),
    ],
)
def test_answers_come_to_the_owner_of_a_token(token: str, want: str) -> None:
    assert _refused.inbox_of(token) == want


def create(place: Place, name: str, role: str, *args: str) -> str:
    """Makes a token of the robot's store."""
    made = subprocess.run(
        [program("waldo"), "token", "create", name, "--role", role, *args],
        env={**os.environ, "XDG_STATE_HOME": str(place.folder)},
        check=True,
        capture_output=True,
        text=True,
        timeout=SOON,
    )
    return made.stdout.strip()


def test_a_viewer_may_watch_and_not_drive(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    viewer = create(place, "Ann", "viewer")
    place.up("front: {kind: camera, source: test}\nmotors: {kind: serial, port: sim}")
    robot = place.robot(token=viewer)
    assert robot.device("front").kind == "camera"
    with robot.camera("front") as camera:
        ok, _ = camera.read()
        assert ok
    bus = Bus(place.nats, token=viewer)
    assert bus.wait(SOON)
    began = time.monotonic()
    with caplog.at_level(logging.ERROR, "waldo"):
        for _ in range(2):
            with pytest.raises(waldo.NotAllowed, match="a role that may"):
                bus.call(
                    "rover",
                    "motors",
                    "waldo.control.v1.ControlService/Acquire",
                    control_service_pb2.AcquireRequest(),
                    control_service_pb2.AcquireResponse,
                    timeout=SOON,
                )
    assert time.monotonic() - began < SOON, "it was found out by waiting"
    assert sum("acquire" in r.getMessage() for r in caplog.records) == 1
    bus.publish("waldo.v1.rover.msg.chat", message_pb2.Message())  # refused, and told
    bus.call(
        "rover",
        "front",
        "waldo.device.v1.DeviceService/GetDevice",
        device_service_pb2.GetDeviceRequest(),
        device_service_pb2.GetDeviceResponse,
    )
    assert any("msg.chat" in r.getMessage() for r in caplog.records)
    bus.close()
    robot.close()


def test_a_service_sees_its_device_only(place: Place) -> None:
    token = create(place, "Arm", "service", "--device", "motors")
    place.up("front: {kind: camera, source: test}\nmotors: {kind: serial, port: sim}")
    bus = Bus(place.nats, token=token)
    assert bus.wait(SOON)

    def ask(device: str) -> device_pb2.Device:
        method = "waldo.device.v1.DeviceService/GetDevice"
        request, response = device_service_pb2.GetDeviceRequest(), device_service_pb2.GetDeviceResponse
        while True:
            try:
                return bus.call("rover", device, method, request, response).device
            except waldo.Unavailable:  # it is starting
                time.sleep(0.05)

    assert ask("motors").name == "motors"
    with pytest.raises(waldo.NotAllowed):
        ask("front")
    bus.close()
