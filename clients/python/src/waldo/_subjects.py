"""Subscriptions of the bus."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import nats.aio.client
import nats.errors
from google.protobuf.message import DecodeError, Message

from waldo._split import Joiner
from waldo.errors import Closed
from waldo.events import log

if TYPE_CHECKING:
    from waldo.bus import Bus

M = TypeVar("M", bound=Message)

#: The header that names the type of a message.
TYPE = "Waldo-Type"
# What one subscription may have waiting, in messages and bytes; beyond that the newest are lost.
_MOST_MESSAGES, _MOST_BYTES = 65536, 128 << 20
# How long what the server has sent already may take to arrive.
_DRAIN_TIMEOUT = 2


class Subscription(contextlib.AbstractContextManager["Subscription[M]"]):
    """Messages of one subject, until it is closed."""

    def __init__(self, bus: Bus, number: int, subject: str, callback: Callable[..., object], queue: str) -> None:
        self._bus, self._number, self._subject, self._callback, self._queue = bus, number, subject, callback, queue
        self._joiner = Joiner()
        self._nats: Any = None

    async def _open(self) -> None:
        self._bus._subscriptions[self._number] = self
        if self._bus._client is not None:
            with contextlib.suppress(nats.errors.Error, OSError):  # the next link has it
                await self._attach(self._bus._client)

    async def _attach(self, client: nats.aio.client.Client) -> None:
        self._joiner = Joiner()
        self._nats = await client.subscribe(
            self._subject,
            queue=self._queue,
            cb=self._receive,
            pending_msgs_limit=_MOST_MESSAGES,
            pending_bytes_limit=_MOST_BYTES,
        )

    async def _receive(self, m: Any) -> None:
        whole = (m.data, m.headers or {}) if self._queue else self._joiner.join(m.data, m.headers)
        if whole is None or self._number not in self._bus._subscriptions:
            return
        try:
            self._callback(m.subject, *whole)
        except Exception:
            log.exception("a callback for %s failed", self._subject)

    async def _leave(self) -> None:
        self._bus._subscriptions.pop(self._number, None)
        if self._nats is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._nats.unsubscribe()

    def drain(self) -> None:
        """Leaves the subject, and returns when the callback has had everything that the server has sent."""
        with contextlib.suppress(Closed):
            self._bus.run(self._drain())

    async def _drain(self) -> None:
        if self._nats is not None:
            with contextlib.suppress(nats.errors.Error, OSError, asyncio.TimeoutError):
                await asyncio.wait_for(self._nats.drain(), _DRAIN_TIMEOUT)
        self._bus._subscriptions.pop(self._number, None)

    def close(self) -> None:
        """Leaves the subject. May be called more than once, and on the thread of the bus."""
        if self._number not in self._bus._subscriptions or self._bus._closed:
            return
        with contextlib.suppress(Closed):
            if threading.current_thread() is self._bus._thread:
                self._bus._loop.create_task(self._leave())
            else:
                self._bus.run(self._leave())

    def __exit__(self, *_: object) -> None:
        self.close()


class Reader:
    """Decodes what a subscription of one type gets."""

    def __init__(self, message_type: type[Message], callback: Callable[[Any], object]) -> None:
        self._type, self._callback = message_type, callback
        self._name = message_type.DESCRIPTOR.full_name
        self.ignored = 0

    def read(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        if headers.get(TYPE) != self._name:
            self._ignore(subject, f"a {headers.get(TYPE, '')[:128]!r} instead of a {self._name}")
            return
        message = self._type()
        try:
            message.ParseFromString(data)
        except DecodeError as e:
            self._ignore(subject, str(e))
            return
        self._callback(message)

    def _ignore(self, subject: str, why: str) -> None:
        if not self.ignored:
            log.warning("%s: a message is ignored, and so are others like it: %s", subject, why)
        self.ignored += 1
