"""Programs that are cameras and devices: what they yield is on the robot like what its hardware produces.

    def frames():
        lamp = cv2.VideoCapture(0)
        try:
            while True:
                yield cv2.GaussianBlur(lamp.read()[1], (9, 9), 0)
        finally:
            lamp.release()

    robot.publish("lamp", frames)                      # until the function ends; or background=True

Pictures are numpy arrays of uint8, (height, width, 3) for BGR or (height, width) for gray, of any size, which may
change; the bytes of a JPEG; or what a loop over `robot.camera` gives, which keeps its capture time. They are encoded
once for all who watch. What JSON has are messages: they are the stream `messages` of the device. With `rate=` arrays
are sound, (samples,) or (samples, channels), float from -1 to 1 or int16.

**Where it goes.** With `waldo up` the device need not be in robot.yaml: the launcher runs a slot for as long as the
publication lives (`waldo ls` shows it), at most 16 of them. Otherwise, and from another machine, it is a device of the
kind peer: `lamp: {kind: peer}` in robot.yaml (with `grpc:` for other machines), `waldo-peer --device lamp` without a
launcher. Messages need `carries: messages` there. One program publishes at a time; `take=True` takes the device from
whoever has it.

**Work that nobody wants is not done.** A function is called when somebody watches, and its generator is closed when
nobody has watched for 2 s, so what stands in a `finally` runs; once before that, for one picture, so that the format is
known. An iterator is not pulled while nobody watches; with `always=True` it is, and what it yields is dropped. Messages
are always pulled.

**What may be lost.** An iterable is pulled as fast as the device takes it: a slow connection slows it down. `put`
never waits: of pictures only the newest waits, of messages the newest 256, of sound the newest second. What is on the
way when a connection breaks is lost. `dropped` counts what never left.

**Faults.** When the device, the bus or the launcher dies, the publication goes on as soon as they are back, and says
so by events: "lost", "publishing". Meanwhile iterables are not pulled. What ends it: the iterable does (the device is
freed, and a slot is closed), it raises (the error is in the device's state for a minute, and is raised from `publish`
or `wait`), another takes the device (Refused), or what was given cannot be published (InvalidRequest).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from waldo import _fork
from waldo._payload import AUDIO, IDLE, MESSAGES, Item, begin, end, item_of, kind_of
from waldo._pulling import AsyncPull, Patience, Pull, Puller, shape_of
from waldo._slot import Slot
from waldo.errors import Closed, InvalidRequest, NotFound, Refused, Unavailable, Unsupported, WaldoError, from_rpc
from waldo.events import log
from waldo.peer.v1 import peer_pb2
from waldo.reading import Box

if TYPE_CHECKING:
    from waldo.robot import Robot

P = TypeVar("P", bound=Puller)

#: How long a slot stays whose program has failed, in seconds.
FAILED_TTL = 60.0
# A sign of life, when there is nothing else to send. A device gives up after 5 s.
_IDLE = 1.0
# Pauses between attempts to publish again.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
# How long the device may take to notice that an earlier call of this program is over.
_REMNANT = 10.0
# How long the device may take to answer that the slot is granted, and to take what was said last.
_GRANT, _FAREWELL = 10.0, 2.0
#: The most characters of an error that the device shows.
MAX_REASON = 500

_PUBLISH = "/waldo.peer.v1.PeerService/Publish"
# Statuses after which publishing again makes sense, beside those that are Unavailable.
_AGAIN = {grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


def publish(
    robot: Robot,
    name: str,
    source: Any = None,
    *,
    rate: int = 0,
    fps: float = 0.0,
    take: bool = False,
    always: bool = False,
    background: bool = False,
) -> Publication | None:
    """See `Robot.publish`."""
    if rate and not 8000 <= rate <= 192000:
        raise InvalidRequest(f"rate: {rate} is not from 8000 to 192000 samples a second")
    if not 0 <= fps <= 240:
        raise InvalidRequest(f"fps: {fps} is not from 0, as fast as they come, to 240")
    publication = Publication(robot, name, rate, fps, take, always)
    if source is None:
        return publication
    if shape_of(source):
        with contextlib.suppress(RuntimeError):
            publication._task = asyncio.get_running_loop().create_task(publication._feed_async(source))
            return publication
        feed: Callable[[], None] = lambda: asyncio.run(publication._feed_async(source))
    else:
        feed = lambda: publication._feed(source)
    if background:
        threading.Thread(target=feed, name=f"waldo-{name}-source", daemon=True).start()
        return publication
    try:
        feed()
    except BaseException:  # KeyboardInterrupt
        publication.stop()
        raise
    publication.wait()
    return None


class _Run:
    """One call of Publish."""

    def __init__(self, kind: str) -> None:
        self.items = _box(kind)
        self.wanted = threading.Event()
        self.over = threading.Event()
        self.granted = self.said_all = False


def _box(kind: str) -> Box[Item]:
    if kind == MESSAGES:
        return Box(256, within=3600.0)
    return Box(50, within=1.0) if kind == AUDIO else Box(1, newest=True)


class Publication:
    """A device that a program makes. It lives until what it publishes ends, or `stop`. Safe for concurrent use; `await`
    waits for its end, too."""

    def __init__(
        self, robot: Robot, name: str, rate: int = 0, fps: float = 0.0, take: bool = False, always: bool = False
    ) -> None:
        from waldo.bus import check_name

        robot._check()
        self._guard = _fork.Guard()
        self.name = check_name("device", name)
        robot.published.add(name)
        #: "waiting" for the first thing to publish, "connecting", "live", "lost", "ended", "failed".
        self.state = "waiting"
        self._robot, self._rate, self._fps, self._take, self._always = robot, rate, fps, take, always
        self._lock = threading.Lock()
        self._kind = AUDIO if rate else ""
        self._run: _Run | None = None
        self._call: Any = None
        self._asks: Box[bool] = Box(1, newest=True)  # has one when the next item of an iterable is wanted
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()  # nothing more is to come
        self._abandoned = threading.Event()  # nor is what waits to be published
        self._reason = ""  # for the device
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._slot = Slot(robot, self.name)
        self._live_once = False
        self._number = 0
        self._lost = 0
        #: How many were sent.
        self.sent = 0
        self._asked = False
        stop = weakref.WeakMethod(self.stop)
        robot.at_close(lambda: (ended := stop()) and ended())

    # --- for programs

    @property
    def wanted(self) -> bool:
        """Whether anybody watches; true before it is known."""
        run = self._run
        return run is None or not run.granted or run.wanted.is_set()

    @property
    def dropped(self) -> int:
        """How many were given and never left."""
        run = self._run
        return self._lost + (run.items.lost if run is not None else 0)

    @property
    def error(self) -> BaseException | None:
        """Why it has ended, if something went wrong."""
        return self._error

    def put(self, value: Any) -> None:
        """Publishes one thing more; never waits. Fails with InvalidRequest if it cannot be published, with why it has
        ended, or with Closed."""
        self._guard.check()
        self._put(self._item(value))

    def stop(self) -> None:
        """Ends it, and waits until the device is free, up to 4 s. It is no error to call it again."""
        self._abandoned.set()
        self._end("")
        call, thread = self._call, self._thread
        if thread is None:
            self._finish()
        elif thread is not threading.current_thread():
            thread.join(_FAREWELL)
            if call is not None:
                call.cancel()  # which does nothing if it has ended
            thread.join(_FAREWELL)

    def wait(self, timeout: float | None = None) -> None:
        """Waits for the end. Raises why it has ended, if something went wrong, and TimeoutError if it has not."""
        self._guard.check()
        if not self._done.wait(timeout):
            raise TimeoutError(f"{self.name}: it has not ended within {timeout:g} s")
        if self._error is not None:
            raise self._error

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait_async().__await__()

    async def _wait_async(self) -> None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if not self._done.is_set():
                self._waiters.append((loop, waiter))
            else:
                waiter.set_result(None)
        await waiter
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Publication:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- what is published

    def _item(self, value: Any) -> Item:
        """Makes a value what is sent, and starts with the first."""
        with self._lock:
            kind = self._kind = self._kind or kind_of(value, self._rate)
            number = self._number
            self._number += 1
        item = item_of(value, kind, number, self._rate, self._fps)
        with self._lock:
            if self._run is None and not self._ending.is_set():
                self._run = _Run(kind)
                self.state = "connecting"
                self._thread = threading.Thread(target=self._keep, name=f"waldo-{self.name}-publication", daemon=True)
                self._thread.start()
        return item

    def _put(self, item: Item) -> None:
        with self._lock:
            if self._ending.is_set() or self._run is None:
                raise self._error or Closed(f"{self.name}: the publication has ended")
            self._asked = False
            self._run.items.put(item)

    def _feed(self, source: Any) -> None:
        """Pulls an iterable, or what a function returns, to its end."""
        with self._blaming(), self._pull(Pull, source) as pull:
            for value in pull:
                self._pulled(pull, value)

    async def _feed_async(self, source: Any) -> None:
        with self._blaming():
            async with self._pull(AsyncPull, source) as pull:
                async for value in pull:
                    self._pulled(pull, value)

    def _pulled(self, pull: Puller, value: Any) -> None:
        item = self._item(value)
        if item.kind == MESSAGES:
            pull.patience = Patience.LONG
        self._put(item)

    def _pull(self, make: type[P], source: Any) -> P:
        patience = Patience.NONE if self._always else Patience.SHORT
        return make(self._asks, self._ending, source, self._fps, patience)

    @contextlib.contextmanager
    def _blaming(self) -> Iterator[None]:
        """Ends the publication with what is done inside. What goes wrong there is told to the device, and to whoever
        waits for the end."""
        try:
            yield
        except Exception as e:
            if e is not self._error and not (isinstance(e, Closed) and self._ending.is_set()):
                self._fail(e, f"{type(e).__name__}: {e}" if str(e) else type(e).__name__)
        finally:  # also of KeyboardInterrupt and CancelledError, which go on
            self._end("")
            if self._thread is None:
                self._finish()

    def _fail(self, error: BaseException, reason: str) -> None:
        with self._lock:
            if self._error is None and not self._done.is_set():
                self._error = error
        self._end(reason)
        if self._thread is None:
            self._finish()

    def _end(self, reason: str) -> None:
        """Has the call say farewell, or never begin."""
        with self._lock:
            if self._ending.is_set():
                return
            self._reason = " ".join(reason.split())[:MAX_REASON]
            self._ending.set()
            run = self._run
        self._asks.close()
        if run is not None:
            run.items.close()
            run.wanted.set()

    def _finish(self) -> None:
        with self._lock:
            if self._done.is_set():
                return
            self.state = "failed" if self._error is not None else "ended"
            self._done.set()
            waiters, self._waiters = self._waiters, []
        self._asks.close()
        for loop, waiter in waiters:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_wake, waiter)
        if self._error is not None and not isinstance(self._error, Closed):
            self._robot.events.emit(self.name, "failed", f"the publication has ended: {self._error}")

    # --- the connection; all on the publication's thread, except the requests, which gRPC takes on its own

    def _keep(self) -> None:
        """Publishes, again and again, until the end."""
        since, pause = time.monotonic(), _FIRST_PAUSE
        try:
            while not self._abandoned.is_set():
                run = self._run
                assert run is not None
                try:
                    self._publish(run)
                    break
                except WaldoError as e:
                    if run.granted:
                        since, pause = time.monotonic(), _FIRST_PAUSE
                    if self._abandoned.is_set():
                        break
                    if self._is_final(e, time.monotonic() - since):
                        self._fail(e, "")
                        break
                    if self._ending.is_set() and self._live_once and run.items.empty:
                        break  # all that is left to say is that this is the end
                    if run.granted:
                        self.state = "lost"
                        self._robot.events.emit(self.name, "lost", f"the publication is interrupted, trying again: {e}")
                finally:
                    self._next_run(run)
                self._abandoned.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        except Exception as e:  # what nobody has foreseen must not end in silence
            log.exception("publishing %s failed", self.name)
            self._fail(WaldoError(f"{self.name}: {e}"), "")
        finally:
            self._close_slot()
            self._finish()

    def _is_final(self, e: WaldoError, since: float) -> bool:
        """Reports whether an attempt that failed was the last. Since is how long there has been no success."""
        if e.code is grpc.StatusCode.ALREADY_EXISTS:  # of ourselves, if we had it a moment ago
            return not self._live_once or since > _REMNANT
        passes = isinstance(e, Unavailable) or e.code in _AGAIN
        if self._live_once and not self._ending.is_set():
            return not (passes or isinstance(e, (NotFound, Unsupported)))
        return not passes or since > self._robot.timeout

    def _next_run(self, run: _Run) -> None:
        """Ends a call, and keeps what still waits for the next."""
        run.over.set()
        with self._lock:
            run.items.close()
            following = _Run(self._kind)
            with contextlib.suppress(WaldoError, TimeoutError):
                while True:
                    following.items.put(run.items.take(0))
            self._lost += run.items.lost
            if self._ending.is_set():
                following.items.close()
            self._run = following

    def _publish(self, run: _Run) -> None:
        """Makes one call, and returns when all has been published. Fails when it ends otherwise."""
        self._slot.ensure(self._kind == MESSAGES)
        self._slot.check(self._live_once, self._abandoned)
        method = self._robot.channel(self.name).stream_stream(
            _PUBLISH, request_serializer=bytes, response_deserializer=peer_pb2.PublishResponse.FromString
        )
        try:
            call = method(self._requests(run))
            with self._lock:
                self._call = call
            watchdog = threading.Timer(_GRANT, lambda: run.granted or call.cancel())
            watchdog.daemon, watchdog.name = True, f"waldo-{self.name}-grant"
            watchdog.start()
            try:
                for answer in call:
                    self._answered(run, answer)
            finally:
                watchdog.cancel()
                with self._lock:
                    self._call = None
                run.over.set()
                run.wanted.set()
                run.items.close()
                call.cancel()
        except grpc.RpcError as e:
            raise from_rpc(e, self.name) from None
        except ValueError as e:  # grpcio says so of a channel that was closed meanwhile
            raise Unavailable(f"{self.name}: {e}") from None
        if not run.said_all:
            raise Unavailable(f"{self.name}: the device has ended the call")

    def _answered(self, run: _Run, answer: peer_pb2.PublishResponse) -> None:
        step = answer.WhichOneof("step")
        if step == "begun":
            run.granted = self._live_once = True
            self._take = False  # who takes it from us may keep it
            self.state = "live"
            self._robot.events.emit(self.name, "publishing", f"the device is ours, with {self._kind}")
        elif step == "demand":
            if answer.demand.wanted:
                run.wanted.set()
            elif not self._ending.is_set():
                run.wanted.clear()

    def _requests(self, run: _Run) -> Iterator[bytes]:
        """What is sent in a call."""
        yield begin(self._robot.name, self._take)
        while not run.over.is_set():
            item = self._next(run)
            if item is None:
                if self._ending.is_set() and not run.over.is_set():
                    run.said_all = True
                    yield end(self._reason)
                    return
                yield IDLE
                continue
            for step in item.steps:
                yield step
            self.sent += 1

    def _next(self, run: _Run) -> Item | None:
        """Returns what is to be sent next, or None if it is time for a sign of life, or for the end."""
        if self._kind != MESSAGES and not run.wanted.wait(_IDLE):
            self._forget_old(run)
            return None
        with self._lock:
            ask, self._asked = not self._asked, True
        if ask:
            self._asks.put(True)
        try:
            return run.items.take(_IDLE)
        except (TimeoutError, WaldoError):
            return None

    def _forget_old(self, run: _Run) -> None:
        """Drops what has waited in vain: who watches later is to see what is then."""
        with contextlib.suppress(TimeoutError, WaldoError):
            while not run.wanted.is_set() and not self._ending.is_set():
                run.items.take(0)
                self._lost += 1

    # --- the device

    def _close_slot(self) -> None:
        """Closes the slot; one in which something went wrong stays for a while, so that people see what."""
        if self._live_once and not isinstance(self._error, Refused):
            self._slot.close(FAILED_TTL if self._reason else 0)
        else:  # another program has the device
            self._slot.leave()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
