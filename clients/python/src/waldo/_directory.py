"""Where the devices of a robot are, and what they say of themselves."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import grpc

from waldo._trust import Trust
from waldo.bus import Bus
from waldo.channels import DeviceChannel, Place
from waldo.device.v1 import device_pb2, device_service_pb2, device_service_pb2_grpc
from waldo.errors import InvalidRequest, NotFound, Unavailable, from_rpc
from waldo.events import Events

# How long a device that is asked where it is may take.
_ASK = 0.5
# How many devices are remembered.
_MOST_DEVICES = 1024
# A device that said nothing for so long is asked before it is believed to be where it was.
_STALE = 3.0


class Directory:
    """The devices of one robot on the bus. Safe for concurrent use, but not on the thread of the bus. Used says whether
    the program uses a device; restarted is told of one that has restarted."""

    def __init__(
        self,
        bus: Bus,
        events: Events,
        robot: str,
        used: Callable[[str], bool],
        restarted: Callable[[str], object],
    ) -> None:
        self._bus, self._events, self._robot, self._used, self._restarted = bus, events, robot, used, restarted
        self._lock = threading.RLock()
        self._devices: dict[str, device_pb2.Device] = {}
        self._heard: dict[str, float] = {}
        self._watching = False

    def robot(self, timeout: float) -> str:
        """Returns the name of the robot."""
        if not self._bus.wait(timeout):
            raise self._bus.away()
        return self._name_of_robot("")

    def all(self, timeout: float) -> list[device_pb2.Device]:
        """Returns the descriptions of the devices that answer now, by name."""
        robot = self.robot(timeout)
        self._watch(robot)
        found = {m["device"] for m in self._bus.discover() if m["robot"] == robot}
        described = []
        for name in sorted(found):
            with contextlib.suppress(Unavailable):
                described.append(self._ask(name))
        return described

    def known(self, name: str) -> device_pb2.Device | None:
        """Returns what a device has just said of itself, or None."""
        with self._lock:
            if time.monotonic() - self._heard.get(name, -_STALE) < _STALE:
                return self._devices[name]
            return None

    def find(self, name: str) -> device_pb2.Device:
        """Asks a device for its description; waits for a moment at most. Fails with Unavailable."""
        if not self._bus.wait(_ASK):
            raise self._bus.away()
        self._watch(self._name_of_robot(name))
        return self._ask(name)

    def place(self, name: str) -> Place | None:
        """Returns where a device is now, and None if it has never been there."""
        with self._lock:
            known = self._devices.get(name)
        if known is None:
            return None
        try:
            known = self._ask(name)
        except Unavailable:
            if self._bus.connected:
                raise
            # It may well be where it was, although the bus is not there.
        return Place(known.grpc_address, known.epoch)

    def close(self) -> None:
        """Does nothing: the bus is closed by its owner."""

    def _name_of_robot(self, device: str) -> str:
        """Returns the name of the only robot on the bus, or of the only one with such a device."""
        with self._lock:
            if self._robot:
                return self._robot
        found = self._bus.discover(lambda m: m["device"] == device)
        robots = sorted({m["robot"] for m in found})
        having = sorted({m["robot"] for m in found if m["device"] == device}) or robots
        if not having:
            raise Unavailable("there is no device on the bus: is the robot running? `waldo ls` shows what is there")
        if len(having) > 1:
            raise InvalidRequest(f"there are several robots on the bus, {', '.join(having)}: pick one with robot=")
        with self._lock:
            self._robot = self._robot or having[0]
            return self._robot

    def _watch(self, robot: str) -> None:
        """Listens to what the devices say of themselves."""
        with self._lock:
            if self._watching:
                return
            self._watching = True
        self._bus.subscribe(f"waldo.v1.{robot}.*.state", device_pb2.Device, self._note)

    def _ask(self, name: str) -> device_pb2.Device:
        try:
            response = self._bus.call(
                self._robot,
                name,
                "waldo.device.v1.DeviceService/GetDevice",
                device_service_pb2.GetDeviceRequest(),
                device_service_pb2.GetDeviceResponse,
                _ASK,
            )
        except Unavailable as e:
            raise self._missing(name, e) from None
        self._note(response.device)
        return response.device

    def _missing(self, name: str, e: Unavailable) -> Unavailable:
        with self._lock:
            others = sorted(self._devices.keys() - {name})
        return Unavailable(f"{e}; running are {', '.join(others)}" if others else str(e))

    def _note(self, d: device_pb2.Device) -> None:
        """Takes what a device says of itself; also on the thread of the bus."""
        with self._lock:
            before = self._devices.get(d.name)
            if before is None and len(self._devices) >= _MOST_DEVICES:
                return
            self._devices[d.name], self._heard[d.name] = d, time.monotonic()
        if before is not None and before.epoch != d.epoch:
            self._events.emit(d.name, "restarted", "has restarted", self._used(d.name))
            self._restarted(d.name)
        if before is not None and before.state == d.state:
            return
        if d.state == device_pb2.DEVICE_STATE_AWAY:
            self._events.emit(d.name, "away", f"is away: {d.state_reason}", self._used(d.name))
        elif d.state == device_pb2.DEVICE_STATE_READY and before is not None:
            self._events.emit(d.name, "ready", "is ready")


class Alone:
    """One device without a bus, at the address of its gRPC. Safe for concurrent use."""

    def __init__(self, address: str, token: str, trust: Trust | None = None) -> None:
        self._address = address
        self._channel = DeviceChannel(lambda: Place(self._address), token, trust)
        self._stub = device_service_pb2_grpc.DeviceServiceStub(self._channel)

    def robot(self, timeout: float) -> str:
        """Returns the name of the robot."""
        return self._ask(timeout).robot

    def all(self, timeout: float) -> list[device_pb2.Device]:
        """Returns the description of the device."""
        return [self._ask(timeout)]

    def known(self, name: str) -> None:
        """Returns None: the device does not say anything by itself."""

    def find(self, name: str) -> device_pb2.Device:
        """Asks the device for its description; waits for a moment at most. Fails with NotFound if it is another."""
        found = self._ask(_ASK)
        if found.name != name:
            raise NotFound(f"the device at {self._address} is {found.name!r}, not {name!r}")
        return found

    def place(self, name: str) -> Place:
        """Returns where the device is."""
        return Place(self._address)

    def move(self, address: str) -> None:
        """Says where the device is from now on."""
        self._address = address
        self._channel.suspect()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _ask(self, timeout: float) -> device_pb2.Device:
        try:
            request = device_service_pb2.GetDeviceRequest()
            return self._stub.GetDevice(request, timeout=timeout, wait_for_ready=True).device
        except grpc.RpcError as e:
            raise from_rpc(e, self._address) from None
