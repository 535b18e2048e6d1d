"""A robot: the way to its devices."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import grpc

from waldo._address import DEFAULT_URL, check_name, elsewhere, host_and_port, is_loopback
from waldo._directory import Alone, Directory
from waldo._exit import close_at_exit
from waldo._fork import Guard
from waldo._trust import Trust
from waldo.bus import Bus
from waldo.cameras import Camera
from waldo.channels import DeviceChannel, Place
from waldo.device.v1 import device_pb2
from waldo.errors import Closed, Unavailable, from_rpc
from waldo.events import Event, Events, log
from waldo.reading import Reading

if TYPE_CHECKING:
    from waldo.boards import Board
    from waldo.drive import Drive
    from waldo.frame import Frame, Packet
    from waldo.inputs import Input
    from waldo.publishing import Publication
    from waldo.results import Results
    from waldo.sound import Audio, OpusPacket, Samples
    from waldo.topics import Topic
    from waldo.workers import Worker

T = TypeVar("T")

# The pause before a device that is not there is looked for again.
_LOOK = 0.1


class Robot:
    """The devices of a robot, found by the bus, or one device found by its gRPC address.

    ``Robot()`` takes the bus from the environment variable WALDO_NATS, or the one on this machine;
    ``Robot("nats://robot:4222")`` names it. ``robot=`` picks one robot of a bus with several.
    ``Robot("127.0.0.1:7101")`` is one device without a bus, at the address that ``waldo ls`` shows. The token, if there
    is one, is taken from WALDO_TOKEN.

    A robot with `tls: auto` wants TLS of other machines: ``Robot("tls://robot:4222", ca="ca.crt")``, with the file that
    `waldo trust --pem` prints, or its path in WALDO_CA. Without a file the authorities of the system are trusted.

    The constructor does not wait; what needs a device waits for it up to `timeout` seconds if it has never been there,
    and as long as it takes if it has. Everything may be used from any thread; not in a forked child (ForkError)."""

    def __init__(
        self,
        address: str | None = None,
        *,
        robot: str | None = None,
        token: str | None = None,
        ca: str | os.PathLike[str] | None = None,
        name: str = "python",
        timeout: float = 10.0,
    ) -> None:
        self._guard = Guard()
        address = address or os.environ.get("WALDO_NATS") or DEFAULT_URL
        self._token = os.environ.get("WALDO_TOKEN", "") if token is None else token
        self._trust = Trust(ca, address)
        #: Who this program is, for others to read: in leases, in lists.
        self.name = name
        self.timeout = timeout
        #: For modules of this package: what happens is reported here.
        self.events = Events()
        self._lock = threading.RLock()
        self._channels: dict[str, DeviceChannel] = {}
        self._readings: weakref.WeakSet[Reading[Any]] = weakref.WeakSet()
        self._sources: weakref.WeakKeyDictionary[Reading[Any], str] = weakref.WeakKeyDictionary()
        self._closing: list[Callable[[], object]] = []
        self._joining = threading.Lock()
        self._topics: dict[str, Topic] = {}
        self.published: set[str] = set()  #: For modules of this package: devices that this program makes.
        self.seen: dict[str, float] = {}  #: Likewise: the capture time of the picture that was taken last, by camera.
        self._ended = threading.Event()
        self._bus: Bus | None = None
        self._directory: Directory | Alone
        if "://" in address:
            wanted = check_name("robot", robot) if robot else ""
            self._bus = Bus(address, self._token, name, self.events, self._trust)
            self._bus.on_connect(self._wake_all)
            self._directory = Directory(self._bus, self.events, wanted, self._uses, self._restarted)
        else:
            self._directory = Alone(host_and_port(address), self._token, self._trust)
        close_at_exit(self)

    # --- what it offers

    @overload
    def camera(
        self,
        name: str,
        width: int = 0,
        height: int = 0,
        fps: float = 0,
        format: Literal["bgr", "i420", "nv12", "yuyv"] = "bgr",
        shared_memory: bool = True,
    ) -> Camera[Frame]: ...

    @overload
    def camera(
        self,
        name: str,
        width: int = 0,
        height: int = 0,
        fps: float = 0,
        *,
        format: Literal["jpeg", "h264", "vp8"],
        shared_memory: bool = True,
    ) -> Camera[Packet]: ...

    @overload
    def camera(
        self,
        name: str,
        width: int = 0,
        height: int = 0,
        fps: float = 0,
        format: str = "bgr",
        shared_memory: bool = True,
    ) -> Camera[Any]: ...

    def camera(
        self,
        name: str,
        width: int = 0,
        height: int = 0,
        fps: float = 0,
        format: str = "bgr",
        shared_memory: bool = True,
    ) -> Camera[Any]:
        """Returns a camera: loop over it for its pictures. Width and height 0: as configured; one of them 0: in
        proportion. Format: "bgr", "jpeg", "h264", "vp8", "i420", "nv12", "yuyv". Raw pictures of a device on this
        machine are taken from memory that it shares, where that is possible."""
        self._check()
        return Camera(self, name, width, height, fps, format, shared_memory)

    def serial(self, name: str) -> Board:
        """Returns a board on a serial line: loop over it for what it sends; `send` writes to it."""
        self._check()
        from waldo.boards import Board

        return Board(self, name)

    @overload
    def audio(
        self,
        name: str,
        rate: int = 0,
        channels: int = 0,
        format: Literal["f32", "s16"] = "f32",
        block: int = 0,
        tap: str = "microphone",
    ) -> Audio[Samples]: ...

    @overload
    def audio(
        self,
        name: str,
        rate: int = 0,
        channels: int = 0,
        *,
        format: Literal["opus"],
        block: int = 0,
        tap: str = "microphone",
    ) -> Audio[OpusPacket]: ...

    @overload
    def audio(
        self, name: str, rate: int = 0, channels: int = 0, format: str = "f32", block: int = 0, tap: str = "microphone"
    ) -> Audio[Any]: ...

    def audio(
        self, name: str, rate: int = 0, channels: int = 0, format: str = "f32", block: int = 0, tap: str = "microphone"
    ) -> Audio[Any]:
        """Returns a sound card: loop over it for what the microphone captures; `record` and `play`. Rate and channels
        0: as configured. Format: "f32", "s16", "opus". Block: samples in each piece. Tap "speaker": what is played."""
        self._check()
        from waldo.sound import Audio

        return Audio(self, name, rate, channels, format, block, tap)

    def input(self, name: str) -> Input:
        """Returns a gamepad, keyboard or mouse on the robot: loop over it for its reports."""
        self._check()
        from waldo.inputs import Input

        return Input(self, name)

    def drive(self, name: str, take: bool = False, key: str = "") -> Drive:
        """Returns the right to command an actuator, for a `with`. Take: even if somebody else has it, with the override
        key if one is configured."""
        self._check()
        from waldo.drive import Drive

        return Drive(self, name, take, key)

    def topic(self, name: str) -> Topic:
        """Returns a topic, for messages between this program and pages and other programs: `chat.put_nowait({"a": 1})`,
        `for message in chat`. The same object each time, until it is closed. Waits for the robot."""
        from waldo.topics import Topic

        self._check()
        with self._joining:
            topic = self._topics.get(name)
            if topic is None or topic.closed:
                topic = self._topics[name] = Topic(self, name)
                self.at_close(topic.close)
            return topic

    @overload
    def work(
        self,
        camera: str,
        track: str,
        do: Callable[[Any], Any],
        *,
        format: str = "bgr",
        queue: int = 2,
        lossless: bool = False,
        name: str = "",
    ) -> Worker: ...

    @overload
    def work(
        self,
        camera: str,
        track: str,
        do: None = None,
        *,
        format: str = "bgr",
        queue: int = 2,
        lossless: bool = False,
        name: str = "",
    ) -> Callable[[Callable[[Any], Any]], Worker]: ...

    def work(
        self,
        camera: str,
        track: str,
        do: Callable[[Any], Any] | None = None,
        *,
        format: str = "bgr",
        queue: int = 2,
        lossless: bool = False,
        name: str = "",
    ) -> Any:
        """Calls `do` with the frames of a camera that fall to this worker of a track, on a thread of its own, and
        publishes what it returns: a picture, bytes, anything that JSON can say, or a tuple of those. An exception is a
        result, too. Returns the Worker; without `do` it is a decorator, which makes a Worker of a function. It ends
        with the robot.

        Format: "bgr" or "jpeg". Queue: how many frames may wait here; of more than that the oldest is dropped.
        Lossless: the server keeps frames until a worker has done them, up to 64 MiB; all workers of a track must agree
        on it."""
        from waldo.workers import Worker

        self._check()

        def start(do: Callable[[Any], Any]) -> Worker:
            return Worker(self, camera, track, do, format, queue, lossless, name)

        return start if do is None else start(do)

    def results(self, camera: str, track: str, buffer_s: float = 0.5, all: bool = False) -> Results:
        """Returns what the workers of a track make, in the order in which the frames were captured: loop over it. A
        result that has not come is waited for at most `buffer_s` seconds after a later one has; `results.counts` tells
        what was late or never came. All: also frames that were dropped or failed."""
        from waldo.results import Results

        self._check()
        return Results(self, camera, track, buffer_s, all)

    @overload
    def publish(
        self, name: str, source: None = None, *, rate: int = 0, fps: float = 0.0, take: bool = False
    ) -> Publication: ...

    @overload
    def publish(
        self,
        name: str,
        source: Any,
        *,
        rate: int = 0,
        fps: float = 0.0,
        take: bool = False,
        always: bool = False,
        background: Literal[True],
    ) -> Publication: ...

    @overload
    def publish(
        self, name: str, source: Any, *, rate: int = 0, fps: float = 0.0, take: bool = False, always: bool = False
    ) -> Any: ...

    def publish(
        self,
        name: str,
        source: Any = None,
        *,
        rate: int = 0,
        fps: float = 0.0,
        take: bool = False,
        always: bool = False,
        background: bool = False,
    ) -> Publication | None:
        """Makes a device of what a source yields: a camera of numpy pictures or JPEGs, a microphone of arrays of
        samples with `rate`, or a device with messages; see waldo.publishing.

        Source is an iterable, sync or async, or a generator function, which runs while somebody watches. It returns
        when the source ends, and raises what it raises; on an event loop an async source gives something to await. With
        `background` it returns a Publication at once; without a source one whose `put` publishes. Fps paces the source.
        Take: even if another program publishes there. Always: an iterator is pulled even while nobody watches."""
        self._check()
        from waldo.publishing import publish

        return publish(self, name, source, rate=rate, fps=fps, take=take, always=always, background=background)

    def on_event(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Has callback called with what happens: devices that come and go, and connections. Returns what ends that."""
        return self.events.listen(callback)

    def devices(self) -> list[device_pb2.Device]:
        """Returns the descriptions of the devices that answer now, by name."""
        self._check()
        return self._directory.all(self.timeout)

    def device(
        self, name: str, timeout: float | None = None, stop: threading.Event | None = None
    ) -> device_pb2.Device:
        """Returns the description of a device, and waits for it if it has not been there yet; until `stop` is set."""
        self._check()
        check_name("device", name)
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        known = self._directory.known(name)
        while known is None:
            try:
                known = self._directory.find(name)
            except Unavailable as e:
                if time.monotonic() >= deadline or stop is not None and stop.is_set():
                    raise e from None
                self._ended.wait(_LOOK)
            self._check()
        return known

    # --- for the modules of this package

    @property
    def bus(self) -> Bus:
        """The bus. Fails if the robot is one device without a bus."""
        self._check()
        if self._bus is None:
            raise Unavailable("this is one device without a bus: make the Robot with the address of the bus")
        return self._bus

    @property
    def robot(self) -> str:
        """The name of the robot, which it waits for."""
        self._check()
        return self._directory.robot(self.timeout)

    @property
    def alone(self) -> bool:
        """Whether this is one device without a bus."""
        return isinstance(self._directory, Alone)

    def move(self, address: str) -> None:
        """Says where one device without a bus is from now on."""
        if isinstance(self._directory, Alone):
            self._directory.move(host_and_port(address))
            for channel in list(self._channels.values()):
                channel.suspect()
            self._wake_all()

    @property
    def token(self) -> str:
        """The secret for gRPC and the bus; empty without one."""
        return self._token

    def channel(self, name: str) -> DeviceChannel:
        """Returns the gRPC channel to a device, which follows it over restarts."""
        self._check()
        with self._lock:
            channel = self._channels.get(name)
            if channel is None:
                channel = self._channels[name] = DeviceChannel(lambda: self._locate(name), self._token, self._trust)
            return channel

    def stub(self, name: str, make: Callable[[grpc.Channel], T]) -> T:
        """Returns a generated client of a device: robot.stub("front", CameraServiceStub)."""
        return make(self.channel(name))

    def ask(self, name: str, method: Any, request: Any, timeout: float = 5.0) -> Any:
        """Calls a unary method of a stub; fails with the errors of this package."""
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as e:
            raise from_rpc(e, name) from None

    def adopt(self, name: str, reading: Reading[Any]) -> None:
        """Has a reading wait for its device, woken when it changes, and closed with the robot."""

        def prepare(stop: threading.Event) -> bool:
            return self.device(name, stop=stop).state == device_pb2.DEVICE_STATE_AWAY

        reading.prepare, reading.patience = prepare, self.timeout
        with self._lock:
            self._readings.add(reading)
            self._sources[reading] = name

    def at_close(self, close: Callable[[], object]) -> Callable[[], None]:
        """Has something closed with the robot, before its connections, unless the function that it returns is
        called."""
        with self._lock:
            self._closing.append(close)

        def forget() -> None:
            with self._lock:
                if close in self._closing:
                    self._closing.remove(close)

        return forget

    def close(self) -> None:
        """Ends everything that uses the robot: loops end, leases are released, connections are closed."""
        with self._lock:
            if self._ended.is_set():
                return
            self._ended.set()
            closing, self._closing = self._closing, []
        for close in reversed(closing):
            try:
                close()
            except Exception:  # the rest is closed all the same: a lease may be among it
                log.exception("a part of the robot could not be closed")
        for reading in list(self._readings):
            reading.close()
        for channel in list(self._channels.values()):
            channel.close()
        self._directory.close()
        if self._bus is not None:
            self._bus.close()
        self.events.close()

    def __enter__(self) -> Robot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- where the devices are

    def _check(self) -> None:
        self._guard.check()
        if self._ended.is_set():
            raise Closed("the robot has been closed")

    def _locate(self, name: str) -> Place:
        """Returns where a device is now."""
        place = self._directory.place(name)
        if place is None:
            found = self.device(name)
            place = Place(found.grpc_address, found.epoch)
        if self._bus is not None and is_loopback(place.address) and not self._bus.is_here():
            raise elsewhere(name, place.address)  # who listens there on this machine must not get the token
        return place

    def _uses(self, name: str) -> bool:
        return name in self._channels and name not in self.published

    def _restarted(self, name: str) -> None:
        channel = self._channels.get(name)
        if channel is not None:
            channel.suspect()
        for reading, source in list(self._sources.items()):
            if source == name:
                reading.wake()

    def _wake_all(self) -> None:
        for reading in list(self._readings):
            reading.wake()
