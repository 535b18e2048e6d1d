"""The bus: NATS as Waldo uses it, for programs without an event loop of their own.

One thread per `Bus` runs an event loop with nats-py on it. Every method may be called from any thread but that one.
The connection is made again for ever, at intervals of at most half a second; subscriptions and holds are renewed at
once. While the server is away calls and messages fail with `Unavailable`, and nothing is kept for later: a late picture
is worthless and a late command is dangerous.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import re
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import grpc
import nats.aio.client
import nats.errors
from google.protobuf.message import DecodeError, Message

from waldo import _status
from waldo._fork import Guard
from waldo._split import MAX_MESSAGE, MAX_PART, Joiner, split
from waldo.device.v1 import device_pb2, device_service_pb2
from waldo.errors import Closed, InvalidRequest, Unavailable, WaldoError, error_of
from waldo.events import Events, log

DEFAULT_URL = "nats://127.0.0.1:4222"
DEFAULT_TIMEOUT = 5.0
TYPE, EPOCH, TIMEOUT = "Waldo-Type", "Waldo-Epoch", "Waldo-Timeout"

_SCHEMES = ("nats", "tls", "ws", "wss")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# Pauses between attempts to connect, and how long one may take.
_FIRST_PAUSE, _LONGEST_PAUSE, _CONNECT_TIMEOUT = 0.02, 0.5, 2
# A server that vanished without closing the socket is given up after two pings.
_PING_INTERVAL, _MAX_PINGS = 2, 2
_HOLD_TTL, _HOLD_TIMEOUT = 3, 0.5
# A search for devices ends when nobody has answered for so long.
DISCOVERY_QUIET = 0.25
# What one subscription may have waiting, in messages and bytes; beyond that the newest are lost.
_MOST_MESSAGES, _MOST_BYTES = 65536, 128 << 20

M = TypeVar("M", bound=Message)
T = TypeVar("T")


def check_name(field: str, name: str) -> str:
    """Returns a name of a robot or a device, or fails with the rule for them."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{field}: {name!r} is not a name: use 1 to 63 lower-case letters, digits and inner hyphens")
    return name


class Bus:
    """A connection to the bus. It connects in the background; the constructor returns at once."""

    def __init__(self, url: str = DEFAULT_URL, token: str = "", name: str = "python", events: Events | None = None) -> None:
        self._servers = [_check_url(one) for one in url.split(",")]
        self._shown = ",".join(_redacted(one) for one in self._servers)
        self._token, self._name = token, name
        self._events = events or Events()
        self._guard = Guard()
        self._loop = asyncio.new_event_loop()
        self._client: nats.aio.client.Client | None = None  # while it is connected
        self._up = threading.Event()
        self._lock = threading.Lock()
        self._closed = False
        self._problem = "connecting"
        self._subscriptions: dict[int, Subscription[Any]] = {}
        self._on_connect: dict[int, Callable[[], object]] = {}
        self._next = 0
        self._inbox = f"_INBOX.{secrets.token_hex(11)}"
        self._answers: dict[str, asyncio.Queue[Any]] = {}
        self._thread = threading.Thread(target=self._run, name="waldo-bus", daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Where the first server is: the name or address in its URL."""
        return urlsplit(self._servers[0]).hostname or "127.0.0.1"

    @property
    def connected(self) -> bool:
        """Whether the server is reachable now."""
        return self._up.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the server is reachable, and reports whether it is."""
        self._guard.check()
        return self._up.wait(timeout)

    def away(self) -> Unavailable:
        """Returns the error for a bus that is not there."""
        return Unavailable(f"the bus at {self._shown} is not reachable: {self._problem}")

    def close(self) -> None:
        """Ends subscriptions, holds and the connection, and returns when the thread has ended."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # --- what travels

    def call(
        self,
        robot: str,
        device: str,
        method: str,
        request: Message,
        response_type: type[M],
        timeout: float = DEFAULT_TIMEOUT,
        epoch: int = 0,
    ) -> M:
        """Calls a unary method of a device: "waldo.device.v1.DeviceService/GetDevice". Errors are those of the device;
        besides, Unavailable means that no such device, or no bus, is there now, or that it does not answer in time. With
        an epoch, another life of the device refuses the call."""
        return self.run(self.acall(robot, device, method, request, response_type, timeout, epoch))

    async def acall(
        self,
        robot: str,
        device: str,
        method: str,
        request: Message,
        response_type: type[M],
        timeout: float = DEFAULT_TIMEOUT,
        epoch: int = 0,
    ) -> M:
        """Is `call` as a coroutine for the loop of the bus; see `run`."""
        service, _, name = method.partition("/")
        headers = {TYPE: request.DESCRIPTOR.full_name, TIMEOUT: f"{timeout:.3f}s"}
        if epoch:
            headers[EPOCH] = str(epoch)
        subject = f"waldo.v1.{check_name('robot', robot)}.{check_name('device', device)}.rpc.{service}.{name}"
        where = f"{robot}/{device}"
        data, answered = await self._request(subject, request.SerializeToString(), headers, timeout, where)
        _check_answer(data, answered, f"{name} of {where}")
        response = response_type()
        try:
            response.ParseFromString(data)
        except DecodeError as e:
            raise WaldoError(f"{name} of {where}: the answer cannot be read: {e}") from None
        return response

    def publish(self, subject: str, message: Message, headers: Mapping[str, str] | None = None) -> None:
        """Sends a message of at most 64 MiB to everybody who subscribes to subject now."""
        self.run(self.apublish(subject, message, headers))

    async def apublish(self, subject: str, message: Message, headers: Mapping[str, str] | None = None) -> None:
        """Is `publish` as a coroutine for the loop of the bus."""
        named = {TYPE: message.DESCRIPTOR.full_name, **(headers or {})}
        await self._send(subject, message.SerializeToString(), named)

    def subscribe(
        self, subject: str, message_type: type[M], callback: Callable[[M], object], queue: str = ""
    ) -> Subscription[M]:
        """Has callback called with every message of that type on a subject, which may have wildcards, until the
        subscription is closed; across reconnects. With a queue, each message goes to one subscriber of it.

        The callback runs on the thread of the bus and must not block, nor call methods of the bus: hand over to a
        `waldo.reading.Box`. Messages of other types are ignored and counted."""
        return self.subscribe_raw(subject, _Reader(message_type, callback).read, queue)

    def subscribe_raw(
        self, subject: str, callback: Callable[[str, bytes, Mapping[str, str]], object], queue: str = ""
    ) -> Subscription[Any]:
        """Is `subscribe` for messages of every type: the callback gets subject, bytes and headers. With a queue, the parts
        of a message that is too large for one go to different subscribers, so they come as they are, with their header."""
        self._guard.check()
        with self._lock:
            number, self._next = self._next, self._next + 1
        s: Subscription[Any] = Subscription(self, number, subject, callback, queue)
        self.run(s._open())
        return s

    def hold(self, robot: str, device: str, stream: str, reader: str = "") -> Hold:
        """Promises to read a stream of a device, until the hold is closed: the device publishes while somebody holds it.
        The promise may be made before the device, or the bus, is there."""
        self._guard.check()
        return Hold(self, check_name("robot", robot), check_name("device", device), stream, reader or self._name)

    def discover(
        self, until: Callable[[dict[str, str]], object] | None = None, quiet: float = DISCOVERY_QUIET
    ) -> list[dict[str, str]]:
        """Asks who is on the bus, and returns the metadata of all Waldo devices of any robot: "robot", "device", "kind",
        "grpc", "epoch". Ends when nobody has answered for `quiet` seconds, or for a tenth of that once `until` returned
        something true for an answer."""
        return self.run(self._discover(until, quiet))

    def on_connect(self, f: Callable[[], object]) -> Callable[[], None]:
        """Has f called on the thread of the bus after every connect from now on, until what it returns is called."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._on_connect[number] = f

        def stop() -> None:
            with self._lock:
                self._on_connect.pop(number, None)

        return stop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop of the bus, and returns what it returns. Not to be called on that loop."""
        try:
            return self.start(work).result()
        except concurrent.futures.CancelledError:
            raise Closed("the connection to the bus has been closed") from None

    def start(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Starts a coroutine on the loop of the bus. It is cancelled when the bus is closed."""
        try:
            self._guard.check()
            if threading.current_thread() is self._thread:
                raise WaldoError("a callback of the bus must not wait for the bus: hand over to another thread")
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # the loop is closed
            work.close()
            raise Closed("the connection to the bus has been closed") from None
        except WaldoError:
            work.close()
            raise

    def client(self) -> nats.aio.client.Client:
        """The nats-py client of the present link, for coroutines on the loop of the bus (JetStream …)."""
        if self._client is None:
            raise self.away()
        return self._client

    # --- the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._stopping = asyncio.Event()
        try:
            self._loop.run_until_complete(self._keep())
        finally:
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.close()

    def _stop(self) -> None:
        self._stopping.set()

    async def _keep(self) -> None:
        """Connects again and again, until the bus is closed."""
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            lost = asyncio.Event()
            client = await self._connect(lost)
            if client is None:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            await self._linked(client, lost)

    async def _connect(self, lost: asyncio.Event) -> nats.aio.client.Client | None:
        async def on_lost() -> None:
            lost.set()

        async def on_error(e: Exception) -> None:
            if not isinstance(e, nats.errors.UnexpectedEOF):
                log.debug("bus: %s", e)

        client = nats.aio.client.Client()
        try:
            await asyncio.wait_for(
                client.connect(
                    servers=self._servers,
                    token=self._token or None,
                    name=self._name,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=_CONNECT_TIMEOUT,
                    ping_interval=_PING_INTERVAL,
                    max_outstanding_pings=_MAX_PINGS,
                    closed_cb=on_lost,
                    error_cb=on_error,
                ),
                _CONNECT_TIMEOUT * len(self._servers),
            )
            return client
        except Exception as e:  # whatever is wrong, it is tried again
            self._trouble(e)
            with contextlib.suppress(Exception):
                await client.close()
            return None

    def _trouble(self, e: Exception) -> None:
        problem = _problem(e)
        if problem != self._problem:
            self._problem = problem
            self._events.emit("bus", "waiting", f"{self._shown} is not reachable, trying again: {problem}")

    async def _linked(self, client: nats.aio.client.Client, lost: asyncio.Event) -> None:
        """Uses a connection until it is lost, or the bus is closed."""
        self._client = client
        try:
            await client.subscribe(f"{self._inbox}.*", cb=self._answered)
            for s in list(self._subscriptions.values()):
                await s._attach(client)
            self._problem = ""
            self._up.set()
            self._events.emit("bus", "connected", f"connected to {self._shown}")
            for f in list(self._on_connect.values()):
                f()
            await _first(self._stopping.wait(), lost.wait())
        except (nats.errors.Error, OSError) as e:
            self._problem = _problem(e)
        finally:
            self._up.clear()
            self._client = None
            if not self._stopping.is_set():
                self._events.emit("bus", "lost", f"lost {self._shown}, connecting again")
            for queue in self._answers.values():
                queue.put_nowait(None)
            with contextlib.suppress(Exception):
                if self._stopping.is_set():
                    await asyncio.wait_for(client.flush(), 0.5)  # what was published before
                await client.close()

    async def _answered(self, m: Any) -> None:
        queue = self._answers.get(m.subject.rsplit(".", 1)[-1])
        if queue is not None:
            queue.put_nowait(m)

    async def _send(self, subject: str, data: bytes, headers: Mapping[str, str], reply: str = "") -> None:
        if len(data) > MAX_MESSAGE:
            raise InvalidRequest(f"{subject}: the message has {len(data)} bytes, and {MAX_MESSAGE >> 20} MiB is the most")
        client = self.client()
        try:
            for part, named in split(data, headers, min(client.max_payload, MAX_PART)):
                await client.publish(subject, part, reply=reply, headers=named)
        except (nats.errors.Error, OSError) as e:
            raise Unavailable(f"{subject}: {_problem(e)}") from None

    @contextlib.asynccontextmanager
    async def _inbox_of_one(self) -> Any:
        token = secrets.token_hex(8)
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._answers[token] = queue
        try:
            yield f"{self._inbox}.{token}", queue
        finally:
            del self._answers[token]

    async def _request(
        self, subject: str, data: bytes, headers: dict[str, str], timeout: float, where: str
    ) -> tuple[bytes, Mapping[str, str]]:
        deadline, joiner = time.monotonic() + timeout, Joiner()
        async with self._inbox_of_one() as (reply, queue):
            await self._send(subject, data, headers, reply)
            while True:
                try:
                    m = await asyncio.wait_for(queue.get(), max(deadline - time.monotonic(), 0))
                except asyncio.TimeoutError:
                    error = Unavailable(f"{where} did not answer within {timeout:g} s")
                    error.code = grpc.StatusCode.DEADLINE_EXCEEDED
                    raise error from None
                if m is None:
                    raise self.away()
                if (m.headers or {}).get("Status") == "503":
                    error = Unavailable(f"{where} is not running")
                    error.code = grpc.StatusCode.UNAVAILABLE
                    raise error
                whole = joiner.join(m.data, m.headers)
                if whole is not None:
                    return whole

    async def _discover(self, until: Callable[[dict[str, str]], object] | None, quiet: float) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        deadline = time.monotonic() + DEFAULT_TIMEOUT
        async with self._inbox_of_one() as (reply, queue):
            await self._send("$SRV.INFO", b"", {}, reply)
            while True:
                try:
                    m = await asyncio.wait_for(queue.get(), quiet)
                except asyncio.TimeoutError:
                    return found
                if m is None:
                    raise self.away()
                if (m.headers or {}).get("Status") == "503" or time.monotonic() > deadline:
                    return found
                metadata = _metadata(m.data)
                if metadata:
                    found.append(metadata)
                    if until and until(metadata):
                        quiet = min(quiet, DISCOVERY_QUIET / 10)


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
                await asyncio.wait_for(self._nats.drain(), _CONNECT_TIMEOUT)
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


class _Reader:
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


class Hold(contextlib.AbstractContextManager["Hold"]):
    """A promise to read a stream, renewed every second, and at once when the bus is back or the device has restarted."""

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
        problem = ""
        while True:
            self._wake.clear()
            attempt = asyncio.ensure_future(self._promise(_HOLD_TTL))
            try:
                await attempt
                problem = ""
            except WaldoError as e:
                self._kept = 0
                if str(e) != problem:
                    problem = str(e)
                    log.info("the stream %s of %s cannot be held yet: %s", self._request.stream, self._device, e)
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


async def _first(*waits: Awaitable[object]) -> None:
    """Returns when the first of several waits is over, and ends the others."""
    tasks = [asyncio.ensure_future(w) for w in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _check_answer(data: bytes, headers: Mapping[str, str], what: str) -> None:
    """Fails with the error that an answer carries, if it carries one."""
    code = headers.get("Nats-Service-Error-Code", "")
    if not code:
        return
    whole = _status.parse(data) or (int(code) if code.isdecimal() else 2, headers.get("Nats-Service-Error", ""))
    status = next((c for c in grpc.StatusCode if c.value[0] == whole[0]), grpc.StatusCode.UNKNOWN)
    raise error_of(status, whole[1], what)


def _metadata(data: bytes) -> dict[str, str]:
    """Reads an answer of NATS micro; other people's services give nothing."""
    try:
        info = json.loads(data)
    except ValueError:
        return {}
    metadata = info.get("metadata") if isinstance(info, dict) else None
    if not isinstance(metadata, dict) or not str(info.get("name", "")).startswith("waldo-"):
        return {}
    found = {str(k): str(v) for k, v in metadata.items()}
    return found if _NAME.fullmatch(found.get("robot", "")) and _NAME.fullmatch(found.get("device", "")) else {}


def _check_url(text: str) -> str:
    text = text.strip()
    parts = urlsplit(text)
    try:
        good = parts.scheme in _SCHEMES and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good:
        raise InvalidRequest("the address of the bus is not one: use nats://host:4222, or host:port for one device's gRPC")
    return text


def _redacted(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _problem(e: Exception) -> str:
    if isinstance(e, (asyncio.TimeoutError, TimeoutError)):
        return "it does not answer"
    if isinstance(e, nats.errors.NoServersError):
        return "nobody listens there"
    text = str(e) or type(e).__name__
    return text.removeprefix("nats: ").strip("'\" ")[:200]
