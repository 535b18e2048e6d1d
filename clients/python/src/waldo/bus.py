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

from waldo._address import DEFAULT_URL as DEFAULT_URL
from waldo._address import check_name as check_name
from waldo._address import check_url, is_here, redacted
from waldo._answers import check_answer, metadata_of
from waldo._fork import Guard
from waldo._refused import REMEDY, Once, inbox_of, not_allowed, refusal
from waldo._split import MAX_MESSAGE, MAX_PART, Joiner, split
from waldo._subjects import TYPE as TYPE
from waldo._subjects import Reader, Subscription
from waldo._trust import Trust
from waldo.errors import Closed, InvalidRequest, Unavailable, WaldoError
from waldo.events import Events, log
from waldo.holds import Hold

DEFAULT_TIMEOUT = 5.0
EPOCH, TIMEOUT = "Waldo-Epoch", "Waldo-Timeout"

# Pauses between attempts to connect, and how long one may take.
_FIRST_PAUSE, _LONGEST_PAUSE, _CONNECT_TIMEOUT = 0.02, 0.5, 2
# A server that vanished without closing the socket is given up after two pings.
_PING_INTERVAL, _MAX_PINGS = 2, 2
# A search for devices ends when nobody has answered for so long.
DISCOVERY_QUIET = 0.25

# What to do when the server refuses the token.
_TOKEN = "the token is missing, wrong or revoked: give a good one as token= or in WALDO_TOKEN"

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class Client(nats.aio.client.Client):
    """nats-py uses TLS only where the server requires it, whatever the URL says. A bus offers it, and does not require
    it of programs on its own machine; so a URL with tls:// would be used in the clear."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        await super()._process_info(info, initial_connection)
        server = self._current_server
        if initial_connection and server is not None and server.uri.scheme == "tls":
            if not (info.get("tls_required") or info.get("tls_available")):
                raise nats.errors.Error("the server offers no TLS")
            info["tls_required"] = True


class Bus:
    """A connection to the bus. It connects in the background; the constructor returns at once."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str = "",
        name: str = "python",
        events: Events | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._servers = [check_url(one) for one in url.split(",")]
        self._shown = ",".join(redacted(one) for one in self._servers)
        self._token, self._name = token, name
        self._trust = trust or Trust(None, url)
        self._events = events or Events()
        self._guard = Guard()
        self._loop = asyncio.new_event_loop()
        self._client: nats.aio.client.Client | None = None  # while it is connected
        self._up = threading.Event()
        self._lock = threading.Lock()
        self._closed = False
        self._problem = "connecting"
        self._denied = ""  # why the server closed the connection, if it was for the token
        self._subscriptions: dict[int, Subscription[Any]] = {}
        self._on_connect: dict[int, Callable[[], object]] = {}
        self._next = 0
        self._inbox_prefix = inbox_of(token)
        self._inbox = f"{self._inbox_prefix}.{secrets.token_hex(11)}"
        self._answers: dict[str, asyncio.Queue[Any]] = {}
        self._asked: dict[str, str] = {}  # the subject of what is asked, by the name of the queue for its answer
        self._told = Once()
        self._thread = threading.Thread(target=self._run, name="waldo-bus", daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Where the first server is: the name or address in its URL."""
        return urlsplit(self._servers[0]).hostname or "127.0.0.1"

    def is_here(self) -> bool:
        """Reports whether the server is on this machine, as far as addresses tell."""
        client = self._client
        url = client.connected_url if client is not None else None
        return is_here(url.hostname if url is not None and url.hostname else self.host)

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
        return Unavailable(f"the bus at {self._shown} is not reachable: {self._denied or self._problem}")

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
        besides, Unavailable means that no such device, or no bus, is there now, or that it does not answer in time, and
        NotAllowed that the owner of the token may not call this.
        With an epoch, another life of the device refuses the call."""
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
        check_answer(data, answered, f"{name} of {where}")
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
        return self.subscribe_raw(subject, Reader(message_type, callback).read, queue)

    def subscribe_raw(
        self, subject: str, callback: Callable[[str, bytes, Mapping[str, str]], object], queue: str = ""
    ) -> Subscription[Any]:
        """Is `subscribe` for messages of every type: the callback gets subject, bytes and headers. With a queue, the
        parts of a message that is too large for one go to different subscribers, so they come as they are, with their
        header."""
        self._guard.check()
        with self._lock:
            number, self._next = self._next, self._next + 1
        s: Subscription[Any] = Subscription(self, number, subject, callback, queue)
        self.run(s._open())
        return s

    def hold(self, robot: str, device: str, stream: str, reader: str = "") -> Hold:
        """Promises to read a stream of a device, until the hold is closed: the device publishes while somebody holds
        it. The promise may be made before the device, or the bus, is there."""
        self._guard.check()
        return Hold(self, check_name("robot", robot), check_name("device", device), stream, reader or self._name)

    def discover(
        self, until: Callable[[dict[str, str]], object] | None = None, quiet: float = DISCOVERY_QUIET
    ) -> list[dict[str, str]]:
        """Asks who is on the bus, and returns the metadata of all Waldo devices of any robot: "robot", "device",
        "kind", "grpc", "epoch". Ends when nobody has answered for `quiet` seconds, or for a tenth of that once `until`
        returned something true for an answer."""
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
            refused = refusal(str(e))
            if refused is not None:
                self._refused(refused)
            elif "authorization violation" in str(e).lower():
                self._denied = _problem(e)  # it comes before the server closes the connection
            elif not isinstance(e, nats.errors.UnexpectedEOF):
                log.debug("bus: %s", e)

        client = Client()
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
                    inbox_prefix=self._inbox_prefix,
                    tls=self._trust.context(),
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
        self._denied = ""
        queue = self._answers.get(m.subject.rsplit(".", 1)[-1])
        if queue is not None:
            queue.put_nowait(m)

    def _refused(self, refused: tuple[str, str]) -> None:
        """Tells of something that the server does not allow, once, and ends the wait for answers to it."""
        action, subject = refused
        for name, asked in self._asked.items():
            if action == "publish" and asked == subject:
                self._answers[name].put_nowait(refused)
        if self._told.is_new(refused):
            log.error("the bus does not allow this program to %s %s: %s", action, subject, REMEDY)

    async def _send(self, subject: str, data: bytes, headers: Mapping[str, str], reply: str = "") -> None:
        if len(data) > MAX_MESSAGE:
            most = f"{MAX_MESSAGE >> 20} MiB is the most"
            raise InvalidRequest(f"{subject}: the message has {len(data)} bytes, and {most}")
        client = self.client()
        try:
            for part, named in split(data, headers, min(client.max_payload, MAX_PART)):
                await client.publish(subject, part, reply=reply, headers=named)
        except (nats.errors.Error, OSError) as e:
            raise Unavailable(f"{subject}: {self._denied or _problem(e)}") from None

    @contextlib.asynccontextmanager
    async def _inbox_of_one(self, subject: str) -> Any:
        token = secrets.token_hex(8)
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._answers[token], self._asked[token] = queue, subject.lower()
        try:
            yield f"{self._inbox}.{token}", queue
        finally:
            del self._answers[token], self._asked[token]

    async def _request(
        self, subject: str, data: bytes, headers: dict[str, str], timeout: float, where: str
    ) -> tuple[bytes, Mapping[str, str]]:
        deadline, joiner = time.monotonic() + timeout, Joiner()
        async with self._inbox_of_one(subject) as (reply, queue):
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
                if isinstance(m, tuple):
                    raise not_allowed(f"{subject.rpartition('.')[2]} of {where}")
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
        async with self._inbox_of_one("$SRV.INFO") as (reply, queue):
            await self._send("$SRV.INFO", b"", {}, reply)
            while True:
                try:
                    m = await asyncio.wait_for(queue.get(), quiet)
                except asyncio.TimeoutError:
                    return found
                if m is None:
                    raise self.away()
                if isinstance(m, tuple):
                    raise not_allowed("look for devices")
                if (m.headers or {}).get("Status") == "503" or time.monotonic() > deadline:
                    return found
                metadata = metadata_of(m.data)
                if metadata:
                    found.append(metadata)
                    if until and until(metadata):
                        quiet = min(quiet, DISCOVERY_QUIET / 10)


async def _first(*waits: Awaitable[object]) -> None:
    """Returns when the first of several waits is over, and ends the others."""
    tasks = [asyncio.ensure_future(w) for w in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _problem(e: Exception) -> str:
    if isinstance(e, (asyncio.TimeoutError, TimeoutError)):
        return "it does not answer"
    if isinstance(e, nats.errors.NoServersError):
        return "nobody listens there"
    text = str(e) or type(e).__name__
    if "authorization violation" in text.lower():
        return f"Authorization Violation: {_TOKEN}"
    return text.removeprefix("nats: ").strip("'\" ")[:200]
