"""Where a worker's frames come from: dealt as they come, or kept by the server until they have been worked on.

Everything here runs on the loop of the bus."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import nats.errors
import nats.js.api
import nats.js.errors
from google.protobuf.message import DecodeError

from waldo._split import PART
from waldo.bus import TYPE, Bus
from waldo.errors import Unavailable
from waldo.events import log
from waldo.media.v1 import media_pb2

if TYPE_CHECKING:
    from nats.aio.msg import Msg

_FRAME = media_pb2.VideoFrame.DESCRIPTOR.full_name
# How the server keeps frames: what pkg/work of Waldo's Go modules asks for, too.
_KEPT_FOR, _MAX_DELIVERIES, _MAX_UNCONFIRMED, _FORGET_GROUP, _KEEP_BYTES = 5, 5, 256, 60, 64 << 20
# How long one request for a frame waits at the server, and the pause after the server could not be set up.
_PULL_FOR, _AGAIN = 2, 0.5
# The server's code for a stream that there is no memory for.
_MEMORY_EXCEEDED = 10028


class Job:
    """A frame to be worked on, and answered once."""

    def __init__(self, frame: media_pb2.VideoFrame, problem: str = "", message: Msg | None = None) -> None:
        self.frame, self.problem, self.message = frame, problem, message
        self.done: asyncio.Future[bool] | None = None  # of a kept frame: whether it was answered


def read(data: bytes, headers: Mapping[str, str]) -> Job | None:
    """Returns None if a message is no frame, or a part of one but not its first."""
    frame = media_pb2.VideoFrame()
    mark = headers.get(PART, "").split(" ")
    if len(mark) == 3:
        if mark[1] != "0" or headers.get(TYPE) != _FRAME:
            return None
        return Job(
            head(data),
            f"the frame is too large: it travels in {mark[2][:9]} parts, which cannot be dealt to workers: "
            "make the picture smaller, or raise the NATS server's max_payload",
        )
    if headers.get(TYPE) != _FRAME:
        return None
    try:
        frame.ParseFromString(data)
    except DecodeError:
        return None
    return Job(frame) if frame.epoch > 0 else None


def head(data: bytes) -> media_pb2.VideoFrame:
    """Reads what stands before the picture in the first part of a frame."""
    end = 0
    with contextlib.suppress(IndexError, ValueError):
        while True:
            field = data[end] >> 3
            if field not in (1, 2, 3):
                break
            if data[end] & 7 == 0:
                end = _varint(data, end + 1)[1]
            else:
                length, start = _varint(data, end + 1)
                if start + length > len(data):
                    break
                end = start + length
    frame = media_pb2.VideoFrame()
    with contextlib.suppress(DecodeError):
        frame.ParseFromString(data[:end])
    return frame


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns a number and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        if data[at] < 128:
            return value, at + 1
        at, shift = at + 1, shift + 7
        if shift > 63:
            raise ValueError("too long")


class Dealt:
    """Frames that the server deals as they come."""

    def __init__(self, bus: Bus, subject: str, group: str, put: Callable[[Job], object]) -> None:
        self._put = put
        self.ignored = 0
        self._subscription = bus.subscribe_raw(subject, self._receive, group)

    def _receive(self, _: str, data: bytes, headers: Mapping[str, str]) -> None:
        job = read(data, headers)
        if job is None:
            self.ignored += 1
        else:
            self._put(job)

    def drain(self) -> None:
        """Takes no more frames, and hands on those that the server has sent."""
        self._subscription.drain()

    def close(self) -> None:
        """Ends the subscription."""
        self._subscription.close()


class Kept:
    """Frames that the server keeps (JetStream): one at a time, when the worker is free."""

    def __init__(self, bus: Bus, subject: str, group: str, put: Callable[[Job], object]) -> None:
        self._bus, self._subject, self._put = bus, subject, put
        # Names have no underscores, so no other subject has the same name.
        self._stream, self._group = subject.replace(".", "_"), group.replace(".", "_")
        self.ignored = 0
        self._problem = ""
        self._stopping = asyncio.Event()
        bus.run(self._check())
        self._task = bus.start(self._keep())

    def drain(self) -> None:
        """Takes no more frames."""
        self._bus.run(self._stop())

    def close(self) -> None:
        """Returns when what became of the last frame has been told the server."""
        with contextlib.suppress(Exception):  # it has ended, whatever with
            self._task.result(_PULL_FOR)
        self._task.cancel()

    async def _stop(self) -> None:
        self._stopping.set()

    async def _check(self) -> None:
        try:
            await self._set_up()
        except NotKept:
            raise
        except (Unavailable, nats.errors.Error, OSError):
            pass  # the server may come yet

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._pull(await self._set_up())
            except (Unavailable, nats.errors.Error, OSError) as e:
                if str(e) != self._problem:
                    self._problem = str(e)
                    log.warning("frames cannot be kept, trying again: %s", e)
                await asyncio.sleep(_AGAIN)

    async def _set_up(self) -> Any:
        js = self._bus.client().jetstream()
        api = nats.js.api
        try:
            stream = api.StreamConfig(
                name=self._stream,
                subjects=[self._subject],
                storage=api.StorageType.MEMORY,
                retention=api.RetentionPolicy.INTEREST,
                discard=api.DiscardPolicy.OLD,
                max_bytes=_KEEP_BYTES,
                num_replicas=1,
            )
            try:
                await js.stream_info(self._stream)
            except nats.js.errors.NotFoundError:
                await _add(js, stream)
            await js.add_consumer(
                self._stream,
                api.ConsumerConfig(
                    durable_name=self._group,
                    deliver_policy=api.DeliverPolicy.NEW,
                    ack_policy=api.AckPolicy.EXPLICIT,
                    ack_wait=_KEPT_FOR,
                    max_deliver=_MAX_DELIVERIES,
                    max_ack_pending=_MAX_UNCONFIRMED,
                    inactive_threshold=_FORGET_GROUP,
                ),
            )
        except (nats.js.errors.ServiceUnavailableError, nats.errors.NoRespondersError):
            raise NotKept(_NO_JETSTREAM) from None
        return await js.pull_subscribe_bind(consumer=self._group, stream=self._stream)

    async def _pull(self, subscription: Any) -> None:
        """Hands on frames while the link lasts."""
        try:
            while not self._stopping.is_set():
                message = await self._fetch(subscription)
                if message is not None:
                    await self._work(message)
        finally:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()

    async def _fetch(self, subscription: Any) -> Msg | None:
        """Returns the next frame; None if there is none for a while, or the worker leaves."""
        fetch = asyncio.ensure_future(subscription.fetch(1, timeout=_PULL_FOR))
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({fetch, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not fetch.done():
                return None
            message: Msg = fetch.result()[0]
            return message
        except (nats.errors.TimeoutError, asyncio.TimeoutError):
            await self._bus.client().jetstream().consumer_info(self._stream, self._group)
            return None
        finally:
            fetch.cancel()
            stopped.cancel()

    async def _work(self, message: Msg) -> None:
        job = read(message.data, message.headers or {})
        if job is None:
            self.ignored += 1
            await message.ack()
            return
        job.message = message
        job.done = asyncio.get_running_loop().create_future()
        self._put(job)
        while not job.done.done():
            await asyncio.wait([job.done], timeout=_KEPT_FOR / 3)
            if not job.done.done():
                await message.in_progress()
        await (message.ack() if job.done.result() else message.nak())


_NO_JETSTREAM = (
    "the NATS server has no JetStream: use the one of `waldo up` or `waldo bus`, or enable it there (nats-server -js)"
)
_NO_ROOM = "the NATS server has no memory left to keep frames in: close workers of other cameras that are lossless"


class NotKept(Unavailable):
    """The server cannot keep frames."""


async def _add(js: Any, stream: Any) -> None:
    """Makes a stream. The server reserves memory for it. If there is none left, streams that have no workers any more
    are removed, which the server does not do by itself."""
    try:
        await js.add_stream(stream)
        return
    except nats.js.errors.APIError as e:
        if e.err_code != _MEMORY_EXCEEDED:
            raise
    for other in await js.streams_info():
        if other.config.name.startswith("waldo_v1_") and not other.state.consumer_count:
            with contextlib.suppress(nats.js.errors.APIError):  # there is still no room then
                await js.delete_stream(other.config.name)
    try:
        await js.add_stream(stream)
    except nats.js.errors.APIError as e:
        if e.err_code != _MEMORY_EXCEEDED:
            raise
        raise NotKept(_NO_ROOM) from None
