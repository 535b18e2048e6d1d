"""Promises to read streams: a device publishes what somebody holds."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from typing import TYPE_CHECKING

from waldo.device.v1 import device_pb2, device_service_pb2
from waldo.errors import WaldoError, is_final
from waldo.events import log

if TYPE_CHECKING:
    from waldo.bus import Bus

_HOLD_TTL, _HOLD_TIMEOUT = 3, 0.5
# A device that restarts is back by then; one that is not may be a wrong name, so the program's user is told.
_WARN_AFTER = 5.0


class Missing:
    """Reports what is not there: at once for whoever reads details, and as a warning once it may never come."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.found()

    def found(self) -> None:
        """Begins again: it is there."""
        self._problem, self._since, self._warned = "", math.inf, False

    def report(self, error: WaldoError, now: float) -> None:
        """Reports why it is not there; the same reason only once at each level."""
        self._since = min(self._since, now)
        if not self._warned and (is_final(error) or now - self._since >= _WARN_AFTER):
            self._warned = True
            log.warning("%s is not there, and is waited for: %s", self._what, error)
        elif str(error) != self._problem:
            log.info("%s cannot be held yet: %s", self._what, error)
        self._problem = str(error)


class Hold(contextlib.AbstractContextManager["Hold"]):
    """A promise to read a stream, renewed every second, and at once when the bus is back or the device has
    restarted."""

    def __init__(self, bus: Bus, robot: str, device: str, stream: str, reader: str) -> None:
        self._bus, self._robot, self._device = bus, robot, device
        # Nobody can guess the name, so nobody else can end the promise.
        self._request = device_service_pb2.HoldStreamRequest(
            stream=stream, holder=f"{reader[:64]} {secrets.token_hex(16)}"
        )
        #: The life of the device that took the promise last; 0 if none has yet.
        self.epoch = 0
        self._kept = 0
        self._wake: asyncio.Event | None = None
        self._states = bus.subscribe(f"waldo.v1.{robot}.{device}.state", device_pb2.Device, self._described)
        self._forget = bus.on_connect(self._again)
        self._task = bus.start(self._keep())

    def close(self) -> None:
        """Releases the stream, as far as the device can be reached within half a second."""
        self._forget()
        self._states.close()
        if self._task.cancel() and not self._bus._closed:
            with contextlib.suppress(WaldoError):
                self._bus.run(self._promise(0))

    def __exit__(self, *_: object) -> None:
        self.close()

    def _described(self, d: device_pb2.Device) -> None:
        if d.epoch != self._kept and d.state != device_pb2.DEVICE_STATE_STOPPING:
            self._again()

    def _again(self) -> None:
        if self._wake is not None:
            self._wake.set()

    async def _keep(self) -> None:
        self._wake = asyncio.Event()
        missing = Missing(f"the stream {self._request.stream} of {self._device}")
        while True:
            self._wake.clear()
            attempt = asyncio.ensure_future(self._promise(_HOLD_TTL))
            try:
                await attempt
                missing.found()
            except WaldoError as e:
                self._kept = 0
                missing.report(e, asyncio.get_running_loop().time())
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _HOLD_TTL / 3)

    async def _promise(self, ttl: int) -> None:
        request = device_service_pb2.HoldStreamRequest()
        request.CopyFrom(self._request)
        request.ttl.seconds = ttl
        response = await self._bus.acall(
            self._robot,
            self._device,
            "waldo.device.v1.DeviceService/HoldStream",
            request,
            device_service_pb2.HoldStreamResponse,
            _HOLD_TIMEOUT,
        )
        if ttl:
            self.epoch = self._kept = response.epoch
