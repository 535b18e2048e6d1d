"""The bus, with a real server."""

from __future__ import annotations

import queue
import threading
from typing import Any

import grpc
import pytest

import waldo
from tests.live import SOON, Place, until
from waldo import bus as buses
from waldo._subjects import Subscription
from waldo.bus import Bus
from waldo.device.v1 import device_pb2, device_service_pb2
from waldo.media.v1 import media_pb2
from waldo.message.v1 import message_pb2

GET = "waldo.device.v1.DeviceService/GetDevice"


def connect(place: Place) -> Bus:
    bus = Bus(place.nats, name="test")
    assert bus.wait(SOON)
    return bus


def get(bus: Bus, device: str, **options: Any) -> device_pb2.Device:
    response = bus.call(
        "rover", device, GET, device_service_pb2.GetDeviceRequest(), device_service_pb2.GetDeviceResponse, **options
    )
    return response.device


def holders(bus: Bus, device: str, stream: str) -> int:
    return sum(s.holder_count for s in get(bus, device).streams if s.name == stream)


@pytest.mark.parametrize("size", [0, 100, 1 << 20, 3 << 20, 20 << 20])
def test_messages_of_all_sizes_arrive(place: Place, size: int) -> None:
    place.bus()
    got: queue.Queue[media_pb2.VideoFrame] = queue.Queue()
    one, other = connect(place), connect(place)
    with other.subscribe("some.subject", media_pb2.VideoFrame, got.put):
        other.run(other.client().flush())
        one.publish("some.subject", media_pb2.VideoFrame(sequence=7, data=bytes(size)))
        frame = got.get(timeout=SOON)
    assert (frame.sequence, len(frame.data)) == (7, size)
    one.close()
    other.close()


def test_a_message_that_is_too_large(place: Place) -> None:
    place.bus()
    bus = connect(place)
    with pytest.raises(waldo.InvalidRequest, match="64 MiB is the most"):
        bus.publish("some.subject", media_pb2.VideoFrame(data=bytes(65 << 20)))
    bus.close()


def test_what_is_not_of_the_type_is_ignored(place: Place) -> None:
    place.bus()
    got: queue.Queue[device_pb2.Device] = queue.Queue()
    bus = connect(place)
    with bus.subscribe("some.*", device_pb2.Device, got.put):
        bus.publish("some.other", message_pb2.Message())
        bus.run(bus.client().publish("some.rubbish", b"\xff\xff", headers={buses.TYPE: "waldo.device.v1.Device"}))
        bus.run(bus.client().publish("some.rubbish", b"no type"))
        bus.publish("some.device", device_pb2.Device(name="right"))
        assert got.get(timeout=SOON).name == "right"
        assert got.empty()
    bus.close()


def test_a_group_shares_messages(place: Place) -> None:
    place.bus()
    got: queue.Queue[tuple[int, int]] = queue.Queue()
    bus = connect(place)

    def member(i: int) -> Subscription[device_pb2.Device]:
        return bus.subscribe("shared", device_pb2.Device, lambda d: got.put((i, d.pid)), queue="group")

    subscriptions = [member(i) for i in range(3)]
    for pid in range(60):
        bus.publish("shared", device_pb2.Device(pid=pid))
    found = [got.get(timeout=SOON) for _ in range(60)]
    assert sorted(pid for _, pid in found) == list(range(60))
    assert {i for i, _ in found} == {0, 1, 2}
    for s in subscriptions:
        s.close()
    bus.close()


def test_calls(rover: Place) -> None:
    bus = connect(rover)
    assert until("the camera", lambda: get(bus, "front")).name == "front"
    with pytest.raises(waldo.Unavailable, match="rover/nobody is not running") as raised:
        get(bus, "nobody")
    assert raised.value.code is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(waldo.WaldoError, match="restarted"):
        get(bus, "front", epoch=1)
    with pytest.raises(waldo.NotFound, match="stream"):
        bus.call(
            "rover",
            "front",
            "waldo.device.v1.DeviceService/HoldStream",
            device_service_pb2.HoldStreamRequest(stream="smell", holder="test"),
            device_service_pb2.HoldStreamResponse,
        )
    with pytest.raises(waldo.InvalidRequest, match="robot: 'a.b' is not a name"):
        bus.call("a.b", "c", GET, device_service_pb2.GetDeviceRequest(), device_service_pb2.GetDeviceResponse)
    bus.close()
    with pytest.raises(waldo.Closed):
        get(bus, "front")


def test_somebody_who_does_not_answer(place: Place) -> None:
    place.bus()
    bus = connect(place)
    with bus.subscribe_raw(f"waldo.v1.rover.deaf.rpc.{GET.replace('/', '.')}", lambda *_: None):
        with pytest.raises(waldo.Unavailable, match=r"rover/deaf did not answer within 0\.1 s") as raised:
            get(bus, "deaf", timeout=0.1)
        assert raised.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    bus.close()


def test_callbacks_cannot_wait_for_the_bus(place: Place) -> None:
    place.bus()
    bus = connect(place)
    found: queue.Queue[Exception] = queue.Queue()

    def callback(d: device_pb2.Device) -> None:
        try:
            bus.publish("other", d)
        except waldo.WaldoError as e:
            found.put(e)
            raise ValueError("a callback that fails ends nothing") from e

    with bus.subscribe("some.subject", device_pb2.Device, callback):
        for _ in range(2):
            bus.publish("some.subject", device_pb2.Device())
            assert "must not wait for the bus" in str(found.get(timeout=SOON))
    bus.close()


def test_subscriptions_outlast_the_server(place: Place) -> None:
    server = place.bus()
    bus, got = connect(place), queue.Queue[device_pb2.Device]()
    connects: queue.Queue[None] = queue.Queue()
    bus.on_connect(lambda: connects.put(None))
    subscription = bus.subscribe("some.subject", device_pb2.Device, got.put)
    for pid in range(3):
        server.kill()
        until("the loss is noticed", lambda: not bus.connected)
        with pytest.raises(waldo.Unavailable, match="is not reachable"):
            bus.publish("some.subject", device_pb2.Device(pid=99))
        server = place.bus()
        connects.get(timeout=SOON)
        bus.publish("some.subject", device_pb2.Device(pid=pid))
        assert got.get(timeout=SOON).pid == pid, "what was published meanwhile is not kept for later"
    subscription.close()
    subscription.close()
    bus.close()


def test_a_call_under_way_fails_when_the_server_goes(place: Place) -> None:
    server = place.bus()
    bus, asked = connect(place), threading.Event()
    bus.subscribe_raw(f"waldo.v1.rover.deaf.rpc.{GET.replace('/', '.')}", lambda *_: asked.set())
    found: queue.Queue[Exception] = queue.Queue()

    def call() -> None:
        try:
            get(bus, "deaf", timeout=10 * SOON)
        except waldo.WaldoError as e:
            found.put(e)

    calling = threading.Thread(target=call)
    calling.start()
    assert asked.wait(SOON)
    server.kill()
    assert isinstance(found.get(timeout=SOON), waldo.Unavailable)
    calling.join()
    bus.close()


def test_a_hold_is_kept_over_restarts_and_released(place: Place) -> None:
    server = place.bus()
    camera = place.device("camera", "front", "--width", "320", "--height", "240")
    camera.says("ready")
    bus, frames = connect(place), queue.Queue[media_pb2.VideoFrame]()
    bus.subscribe("waldo.v1.rover.front.out.video", media_pb2.VideoFrame, frames.put)
    with bus.hold("rover", "front", "video", "test") as hold:
        first = frames.get(timeout=SOON)
        assert first.epoch == hold.epoch
        camera.kill()
        camera = place.device("camera", "front", "--width", "320", "--height", "240")
        until("the new life is held", lambda: hold.epoch != first.epoch)
        until("its frames", lambda: frames.get(timeout=SOON).epoch == hold.epoch)
        server.kill()
        until("the loss is noticed", lambda: not bus.connected)
        place.bus()
        assert bus.wait(SOON)
        until("it is held again", lambda: holders(bus, "front", "video") == 1)
    until("it is released", lambda: holders(bus, "front", "video") == 0)
    hold.close()
    bus.close()


def test_closing_ends_what_waits(place: Place) -> None:
    bus = Bus(place.nats)
    assert not bus.connected
    bus.close()
    bus.close()
    with pytest.raises(waldo.Closed):
        bus.publish("some.subject", device_pb2.Device())
