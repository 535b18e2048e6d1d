"""Driving: the lease on an actuator, and the commands under it."""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from waldo import _fork, _status
from waldo.boards import json_of
from waldo.control.v1 import control_pb2, control_service_pb2, control_service_pb2_grpc
from waldo.errors import InvalidRequest, Refused, WaldoError, from_rpc
from waldo.ptz.v1 import ptz_pb2, ptz_pb2_grpc
from waldo.serial.v1 import serial_service_pb2, serial_service_pb2_grpc

if TYPE_CHECKING:
    from waldo.robot import Robot

# A lease lasts a second after the last sign of life; after two failures of a call it has ended.
_KEEP_ALIVE, _CALL_TIMEOUT = 0.3, 0.5
# The default, the shortest and the longest life of a command, and how old a clock may be, by our own, to be worth
# repeating.
_LIFE, _SHORTEST_LIFE, _LONGEST_LIFE, _FRESH = 0.2, 0.05, 1.0, 0.05
# How often `send_for` repeats a command.
_RATE = 20
# The end of what a Timestamp holds, in seconds since 1970.
_LATEST = 253402300800


class CommandRefused(Refused):
    """The actuator did not carry out a command."""

    #: Why: the name of a CommandVerdict without its prefix, for example "E_STOPPED", "NOT_NEUTRAL", "EXPIRED".
    verdict = ""


class LeaseLost(Refused):
    """The lease is no longer ours: somebody else took it, or the connection or the device was lost. To go on, call
    `acquire` again; driving then begins with a neutral command."""


@dataclass(frozen=True)
class Sight:
    """What the driver sees, as far as the actuator knows; see `Drive.sight`."""

    #: Name of the camera that the driver must see.
    camera: str
    #: How many seconds ago the picture was captured that the last command's sender had seen; None if there was none,
    #: or one that the actuator does not know.
    age: float | None
    #: The greatest speed allowed, as a share of full speed, 0 to 1.
    speed: float
    #: Ages, in seconds, from which the speed is reduced, and from which the hardware stands still.
    slow: float
    stop: float


class Drive:
    """The right to command one actuator, for the length of a `with`:

        with robot.drive("motors") as d:
            while ...:
                d.send(left=100, right=100)

    Entering acquires the lease, and sends a neutral command first. From then on commands must be sent several times a
    second, or the actuator stops the hardware after 200 ms; the lease itself is kept alive by a thread. Leaving, for
    whatever reason, releases the lease, which stops the hardware at once.

    An actuator may demand that its driver sees a camera (`see:` in robot.yaml). Every command then carries the capture
    time of the picture that the program saw last: the last one that it took from that camera of this robot by a loop,
    `read`, `latest` or `snapshot`, or from `robot.results`. Pictures from elsewhere, such as a subscription, are
    reported with `saw`. As that picture gets old the hardware is slowed down, then stands still, and commands are
    refused with the verdict "BLIND" until a newer one is reported.

    Nothing is repeated, and nothing is sent later than it was meant. A lease does not outlast its connection: `send`
    then fails with LeaseLost, so that no program drives on by accident."""

    def __init__(self, robot: Robot, name: str, take: bool = False, key: str = "") -> None:
        self.name = name
        self._robot, self._take, self._key = robot, take, key
        self._guard = _fork.Guard()
        self._stub = robot.stub(name, control_service_pb2_grpc.ControlServiceStub)
        self._sending = threading.Lock()  # commands have an order
        self._lock = threading.Lock()
        self._lease = 0
        self._sequence = 0
        self._clock, self._heard, self._trip = 0.0, 0.0, 0.0
        self._raw_clock = Duration()
        self._safe: Any = None
        self._sight: control_pb2.Sight | None = None
        self._kind = ""
        self._forget: Callable[[], None] = lambda: None
        self._lost: LeaseLost | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # --- the lease

    def acquire(self) -> None:
        """Acquires the lease and sends a neutral command. Fails with Refused while somebody else holds it, unless the
        Drive was made with take=True."""
        self._guard.check()
        self.release()
        self._kind = self._robot.device(self.name).kind
        granted = self._grant()
        self._forget = self._robot.at_close(self.release)
        with self._lock:
            self._lease, self._lost, self._sequence = granted.lease.epoch, None, 0
            self._safe = json.loads(granted.state.safe_json) if granted.state.safe_json else None
            self._raw_clock, self._clock = granted.state.clock, _seconds(granted.state.clock)
            self._heard, self._trip = time.monotonic(), 0.0
            self._sight = granted.state.sight if granted.state.HasField("sight") else None
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._keep, args=(self._stop,), name=f"waldo-{self.name}-lease", daemon=True
        )
        self._thread.start()
        try:
            self.stop()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Gives the lease back, which stops the hardware. May be called more than once."""
        self._stop.set()
        self._forget()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        with self._lock:
            lease, self._lease = self._lease, 0
        if lease:
            request = control_service_pb2.ReleaseRequest(lease_epoch=lease)
            with contextlib.suppress(grpc.RpcError, WaldoError):  # otherwise it ends by itself
                self._stub.Release(request, timeout=_CALL_TIMEOUT)

    @property
    def held(self) -> bool:
        """Whether the lease is ours, as far as is known."""
        return bool(self._lease) and self._lost is None

    @property
    def neutral(self) -> Any:
        """The command that means standing still."""
        return self._safe

    @property
    def sight(self) -> Sight | None:
        """What the actuator last reported of what this program sees; None if it does not demand anything."""
        with self._lock:
            known = self._sight
        if known is None:
            return None
        age = _seconds(known.age) if known.HasField("age") else None
        return Sight(known.camera, age, known.speed, _seconds(known.slow), _seconds(known.stop))

    def saw(self, picture: Any) -> None:
        """Reports the last picture that the program has seen of the camera that the actuator demands: a frame, a
        packet, or a capture time in seconds since 1970. Not needed for pictures that are taken from a camera."""
        with self._lock:
            known = self._sight
        if known is not None:
            self._robot.seen[known.camera] = _captured(picture)

    def _grant(self) -> Any:
        try:
            if self._take:
                request = control_service_pb2.TakeRequest(holder=self._robot.name, key=self._key)
                return self._stub.Take(request, timeout=5)
            return self._stub.Acquire(control_service_pb2.AcquireRequest(holder=self._robot.name), timeout=5)
        except grpc.RpcError as e:
            raise from_rpc(e, self.name) from None

    def _keep(self, stop: threading.Event) -> None:
        while not stop.wait(_KEEP_ALIVE) and self._lost is None:
            with contextlib.suppress(WaldoError):  # tried again soon, unless the lease is lost
                self._keep_alive()

    def _keep_alive(self) -> None:
        begin = time.monotonic()
        try:
            request = control_service_pb2.KeepAliveRequest(lease_epoch=self._lease)
            state = self._stub.KeepAlive(request, timeout=_CALL_TIMEOUT).state
        except grpc.RpcError as e:
            raise self._failed(e) from None
        self._note(state.clock)
        self._watch(state)
        trip = time.monotonic() - begin
        with self._lock:  # the shortest counts, and is slowly forgotten in case the path gets longer
            self._trip = min(trip, self._trip * 1.125) if self._trip else trip

    # --- commands

    def send(self, **values: Any) -> None:
        """Sends one command: send(left=100, right=100), or for a camera that turns send(pan=0.5). Fails with
        CommandRefused if the actuator does not carry it out, with LeaseLost once the lease is lost, Unavailable if the
        device is not there, and InvalidRequest if the values do not fit."""
        self.send_message(values)

    def send_message(self, value: Any, seen: Any = None) -> None:
        """Like `send`, for messages that are not values by name: a list, a line, bytes as JSON. Seen: the picture that
        this command is based on, if it is not the last one that was taken; see `saw`."""
        self._send(value, time.monotonic(), seen)

    def _send(self, value: Any, meant: float, seen: Any = None) -> None:
        with self._sending:
            request, method = self._request(value)
            request.control.CopyFrom(self._header(meant, seen))
            try:
                self.heard(method(request, timeout=_CALL_TIMEOUT).report)
            except grpc.RpcError as e:
                raise self._failed(e) from None

    def send_for(self, seconds: float, **values: Any) -> None:
        """Sends a command again and again for so long, 20 times a second, and then a neutral one."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self.send(**values)
            time.sleep(min(rest, 1 / _RATE))
        self.stop()

    def stop(self) -> None:
        """Sends the neutral command, and once more if the first was late: standing still is always right."""
        try:
            self._send(self._safe, math.inf)
        except CommandRefused as e:
            if e.code is not grpc.StatusCode.ABORTED:
                raise
            self._send(self._safe, math.inf)

    def estop(self, reason: str = "") -> None:
        """Presses the e-stop: nothing moves, whatever restarts, until somebody clears it."""
        request = control_service_pb2.EStopRequest(by=self._robot.name, reason=reason)
        self._robot.ask(self.name, self._stub.EStop, request)

    def header(self, seen: Any = None) -> control_pb2.CommandHeader:
        """Returns the header of the next command, for methods of other services. Give its report to `heard`. Seen: as
        of `send_message`."""
        return self._header(time.monotonic(), seen)

    def _header(self, meant: float, seen: Any = None) -> control_pb2.CommandHeader:
        """Returns the header of a command that was meant at that time: what it has waited for other commands, or for an
        answer, is taken from its life. Fails with CommandRefused if nothing is left of that."""
        self._guard.check()
        self._check()
        if time.monotonic() - self._heard > _FRESH:
            self._keep_alive()
        self._check()
        with self._lock:
            whole = min(_LIFE + self._trip, _LONGEST_LIFE)
            waited = time.monotonic() - meant
            life = whole - max(0.0, waited - self._trip)  # the clock may have been asked for, which takes one trip
            if life < _SHORTEST_LIFE:
                raise _too_late(self.name, waited)
            self._sequence += 1
            header = control_pb2.CommandHeader(lease_epoch=self._lease, sequence=self._sequence, heard=self._raw_clock)
            header.life.FromNanoseconds(int(life * 1e9))
            if self._sight is not None:
                _set_seen(header.seen, seen, self._robot.seen.get(self._sight.camera))
            return header

    def heard(self, report: control_pb2.CommandReport) -> None:
        """Notes the report of a command: its clock goes into the next."""
        self._note(report.clock)
        self._watch(report)

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost
        if not self._lease:
            raise LeaseLost(f"{self.name}: the lease is not held: use `with robot.drive(…) as d`, or call acquire()")

    def _request(self, value: Any) -> tuple[Any, Any]:
        if self._kind == "rtsp-ingest":
            try:
                move = json_format.ParseDict(json.loads(json_of(value or {})), ptz_pb2.MoveRequest())
            except json_format.ParseError as e:
                raise InvalidRequest(f"{self.name}: {e}") from None
            return move, self._robot.stub(self.name, ptz_pb2_grpc.PtzServiceStub).Move
        stub = self._robot.stub(self.name, serial_service_pb2_grpc.SerialServiceStub)
        return serial_service_pb2.WriteMessageRequest(json=json_of(value)), stub.WriteMessage

    def _note(self, clock: Duration) -> None:
        with self._lock:
            if _seconds(clock) > self._clock:
                self._raw_clock, self._clock, self._heard = clock, _seconds(clock), time.monotonic()

    def _watch(self, said: control_pb2.ControlState | control_pb2.CommandReport) -> None:
        """Notes what the actuator says of what this program sees. Some reports do not."""
        if said.HasField("sight"):
            with self._lock:
                self._sight = said.sight

    def _failed(self, e: grpc.RpcError) -> WaldoError:
        """Returns the error for a call that failed, and notes what it says."""
        error, report = from_rpc(e, self.name), report_of(e)
        if report is not None:
            self.heard(report)
            error = _refused(error, report)
        lost = error.code is grpc.StatusCode.FAILED_PRECONDITION
        if report is not None:
            lost = report.verdict == control_pb2.COMMAND_VERDICT_NO_LEASE
        if not lost:
            return error
        with self._lock:
            if self._lost is None:
                self._lost = LeaseLost(f"the lease was lost: {error}")
                self._lost.code = error.code
        self._robot.events.emit(self.name, "lost", str(self._lost))
        return self._lost

    def __enter__(self) -> Drive:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def report_of(e: grpc.RpcError) -> control_pb2.CommandReport | None:
    """Returns the report in the error of a refused command; None for any other error."""
    if not isinstance(e, grpc.Call):
        return None
    for key, value in e.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            data = value if isinstance(value, bytes) else value.encode()
            return _status.detail(data, control_pb2.CommandReport)
    return None


def _refused(error: WaldoError, report: control_pb2.CommandReport) -> CommandRefused:
    refused = CommandRefused(str(error))
    refused.code = error.code
    try:
        refused.verdict = control_pb2.CommandVerdict.Name(report.verdict).removeprefix("COMMAND_VERDICT_")
    except ValueError:  # newer than this package
        refused.verdict = str(report.verdict)
    return refused


def _too_late(name: str, waited: float) -> CommandRefused:
    refused = CommandRefused(f"{name}: the command was not sent, because it had waited for {1000 * waited:.0f} ms")
    refused.code, refused.verdict = grpc.StatusCode.ABORTED, "EXPIRED"
    return refused


def _captured(picture: Any) -> float:
    """Returns when a picture was captured, in seconds since 1970."""
    at = getattr(picture, "capture_time", picture)
    if not isinstance(at, (int, float)) or not 0 < at < _LATEST:
        raise InvalidRequest(f"seen: {at!r} is neither a picture nor a time in seconds since 1970")
    return float(at)


def _set_seen(field: Timestamp, seen: Any, last: float | None) -> None:
    at = last if seen is None else _captured(seen)
    if at:
        field.FromNanoseconds(round(at * 1e9))


def _seconds(d: Duration) -> float:
    return d.seconds + d.nanos / 1e9
