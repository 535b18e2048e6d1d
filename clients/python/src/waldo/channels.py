"""A gRPC channel that follows a device: a restart may bring it to another address."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from waldo._fork import Guard
from waldo._trust import Trust
from waldo.errors import Closed

#: The largest message, in bytes: a raw 4K picture fits. gRPC's own limit is 4 MiB, less than raw 1080p.
MAX_MESSAGE = 64 << 20

OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    # A published picture of that size, and what is said of it.
    ("grpc.max_send_message_length", MAX_MESSAGE + (1 << 20)),
    # A device that restarts is back within moments: gRPC would wait up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A machine that vanished without closing its connections is noticed. Devices allow a ping a second.
    ("grpc.keepalive_time_ms", 5000),
    ("grpc.keepalive_timeout_ms", 5000),
    ("grpc.http2.max_pings_without_data", 0),
    # Another channel's pauses are not ours.
    ("grpc.use_local_subchannel_pool", 1),
]


@dataclass(frozen=True)
class Place:
    """Where a device is now, and in which life."""

    address: str
    epoch: int = 0


class DeviceChannel(grpc.Channel):
    """Is used like any channel, with generated stubs. Each call begins where the device is at that moment; a call that
    is under way ends with the life of the device. Safe for concurrent use."""

    def __init__(self, locate: Callable[[], Place], token: str = "", trust: Trust | None = None) -> None:
        self._locate = locate
        self._trust = trust or Trust("", "")
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._guard = Guard()
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._place: Place | None = None
        self._suspect = False
        self._closed = False

    def suspect(self) -> None:
        """Has the next call ask where the device is: the last one failed."""
        self._suspect = True

    def current(self) -> grpc.Channel:
        """Returns the channel to where the device is now. Fails with Unavailable if that is unknown."""
        self._guard.check()
        with self._lock:
            if self._closed:
                raise Closed("the robot has been closed")
            if self._channel is not None and not self._suspect:
                return self._channel
        place = self._locate()  # may wait
        with self._lock:
            if self._closed:
                raise Closed("the robot has been closed")
            self._suspect = False
            if self._channel is None or place != self._place:
                if self._channel is not None:
                    self._channel.close()
                self._channel, self._place = self._trust.channel(place.address, OPTIONS), place
            return self._channel

    def ended(self, call: Any) -> None:
        """Notes how a call has ended."""
        if call.code() is grpc.StatusCode.UNAVAILABLE:
            self.suspect()

    def metadata(self, more: Sequence[tuple[str, str | bytes]] | None) -> Sequence[tuple[str, str | bytes]]:
        """Adds the token to the metadata of a call."""
        return (*self._metadata, *(more or ()))

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Unary(self, "unary_unary", (method, *args), kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Stream(self, "unary_stream", (method, *args), kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Unary(self, "stream_unary", (method, *args), kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Stream(self, "stream_stream", (method, *args), kwargs)

    def subscribe(self, callback: Any, try_to_connect: bool | None = False) -> None:
        self.current().subscribe(callback, bool(try_to_connect))

    def unsubscribe(self, callback: Any) -> None:
        self.current().unsubscribe(callback)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._channel is not None:
                self._channel.close()

    def __enter__(self) -> DeviceChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Method:
    """A method of whatever channel is the current one."""

    def __init__(self, channel: DeviceChannel, shape: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._channel, self._shape, self._args, self._kwargs = channel, shape, args, kwargs
        self._made: tuple[grpc.Channel, Any] | None = None

    def _method(self) -> Any:
        current = self._channel.current()
        made = self._made
        if made is None or made[0] is not current:
            made = self._made = current, getattr(current, self._shape)(*self._args, **self._kwargs)
        return made[1]


class _Unary(_Method):
    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None, **kwargs: Any) -> Any:
        return self.with_call(request, timeout, metadata, **kwargs)[0]

    def with_call(self, request: Any, timeout: float | None = None, metadata: Any = None, **kwargs: Any) -> Any:
        try:
            return self._method().with_call(
                request, timeout=timeout, metadata=self._channel.metadata(metadata), **kwargs
            )
        except grpc.RpcError as e:
            self._channel.ended(e)
            raise

    def future(self, request: Any, timeout: float | None = None, metadata: Any = None, **kwargs: Any) -> Any:
        call = self._method().future(request, timeout=timeout, metadata=self._channel.metadata(metadata), **kwargs)
        call.add_done_callback(self._channel.ended)
        return call


class _Stream(_Method):
    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None, **kwargs: Any) -> Any:
        call = self._method()(request, timeout=timeout, metadata=self._channel.metadata(metadata), **kwargs)
        if not call.add_callback(lambda: self._channel.ended(call)):
            self._channel.ended(call)
        return call
