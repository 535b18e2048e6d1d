"""A slot of the launcher: a device that runs for as long as a program renews it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import duration_pb2

from waldo.errors import InvalidRequest, NotFound, Unavailable, Unsupported, WaldoError
from waldo.launcher.v1 import launcher_service_pb2

if TYPE_CHECKING:
    from waldo.robot import Robot

#: How long a slot stays without its program, in seconds.
TTL = 10.0

# How long the device is looked for before the launcher is asked again.
_LOOK = 2.0

_OPEN = "waldo.launcher.v1.LauncherService/OpenSlot"


class Slot:
    """One slot. Open and close are for one thread."""

    def __init__(self, robot: Robot, name: str) -> None:
        self._robot, self._name = robot, name
        self._content = launcher_service_pb2.SLOT_CONTENT_UNSPECIFIED
        self._renewal: Future[Any] | None = None

    @property
    def open(self) -> bool:
        """Whether the launcher runs it."""
        return self._renewal is not None

    def ensure(self, messages: bool) -> None:
        """Has the launcher run the slot. It does nothing if there is no launcher (units of systemd have none), one that
        is too old, or if the device is in robot.yaml or on the bus without it. Fails if the launcher refuses it
        otherwise."""
        if self._robot.alone:
            return
        self._content = (
            launcher_service_pb2.SLOT_CONTENT_MESSAGES if messages else launcher_service_pb2.SLOT_CONTENT_VIDEO
        )
        try:
            self._ask(TTL)
        except (Unavailable, Unsupported, NotFound):
            return
        except WaldoError as e:
            if e.code is grpc.StatusCode.ALREADY_EXISTS and "carries" not in str(e):
                return
            raise
        if self._renewal is None:
            self._renewal = self._robot.bus.start(self._renew(self._robot.robot))

    def check(self, known: bool, stop: threading.Event) -> None:
        """Waits for the device a moment, and fails if it is none to publish through. Known: it has been there."""
        try:
            device = self._robot.device(self._name, _LOOK, stop=stop)
        except Unavailable as e:
            if self.open or self._robot.alone or known:
                raise
            raise Unavailable(
                f"{e}; no launcher runs that could open it, as on a robot that runs as units of systemd: add a device "
                f"{{kind: peer}} to robot.yaml, `{self._name}: {{kind: peer}}`, and run `waldo reload`"
            ) from None
        if device.kind != "peer":
            raise InvalidRequest(
                f"name: {self._name!r} is a device of the kind {device.kind} already: use another name, or make it "
                "{kind: peer} in robot.yaml"
            )

    def close(self, after: float = 0) -> None:
        """Has the launcher end it, after so many seconds."""
        if self._renewal is None:
            return
        self.leave()
        with contextlib.suppress(WaldoError):
            self._ask(after)

    def leave(self) -> None:
        """Renews it no more: it ends, unless somebody else renews it."""
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None

    def _request(self, ttl: float) -> launcher_service_pb2.OpenSlotRequest:
        lasts = duration_pb2.Duration()
        lasts.FromMilliseconds(int(ttl * 1000))
        return launcher_service_pb2.OpenSlotRequest(name=self._name, content=self._content, ttl=lasts)

    def _ask(self, ttl: float) -> None:
        robot = self._robot
        robot.bus.call(robot.robot, "launcher", _OPEN, self._request(ttl), launcher_service_pb2.OpenSlotResponse)

    async def _renew(self, robot: str) -> None:
        """Renews it, on the loop of the bus. A launcher that has restarted opens it anew."""
        while True:
            await asyncio.sleep(TTL / 3)
            with contextlib.suppress(WaldoError):
                await self._robot.bus.acall(
                    robot, "launcher", _OPEN, self._request(TTL), launcher_service_pb2.OpenSlotResponse
                )
