"""Boards on serial lines: what they send, and what is written to them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from waldo._captured import age_of
from waldo._subscribable import Feed, Subscribable
from waldo.errors import InvalidRequest
from waldo.reading import Box, Loop, Reading
from waldo.serial.v1 import serial_pb2, serial_service_pb2, serial_service_pb2_grpc
from waldo.subscriptions import QueueSubscription

if TYPE_CHECKING:
    from waldo.robot import Robot

# What waits for a loop that is slow: the oldest is lost.
_WAITING, _WITHIN = 256, 0.5


@dataclass(frozen=True)
class BoardMessage:
    """One message of a board."""

    #: A dict by key or a list for a struct format, a str for a line, bytes for raw, and for NMEA a dict with "type",
    #: "talker" and the fields.
    value: Any
    #: The life of the device; a new number means that it has restarted.
    epoch: int = 0
    #: Its position in the epoch; a gap is a loss.
    sequence: int = 0
    #: When its last byte was read, in seconds since 1970 by the clock of the device's machine.
    read_time: float = 0.0
    #: How many messages the loop has lost so far because it was slow.
    dropped: int = 0
    received: float = field(default_factory=time.monotonic, repr=False, compare=False)

    @property
    def age(self) -> float:
        """How many seconds ago it was read; never less than the time since it was received here."""
        return age_of(self.read_time, self.received)

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]


class Board(Subscribable[BoardMessage]):
    """One board. A loop over it gives what the board sends from now on; a loop that is slow loses the oldest, is never
    more than half a second behind, and `message.dropped` counts what it lost."""

    def __init__(self, robot: Robot, name: str) -> None:
        super().__init__()
        self.name = name
        self._robot = robot
        self._reading = _reading(robot, name)

    @property
    def state(self) -> str:
        """"idle" without loops, "connecting", "live", "waiting" while the device is away, "failed"."""
        return self._reading.state

    def messages(self) -> Loop[Any]:
        """Returns a loop over the messages from now on, with `take(timeout)` and `close()`."""
        return Loop(self._reading, Box[Any](_WAITING, within=_WITHIN), _made)

    def __iter__(self) -> Iterator[BoardMessage]:
        return self.messages()

    def __aiter__(self) -> AsyncIterator[BoardMessage]:
        return self.messages()

    def send(self, value: Any, timeout: float = 5.0) -> None:
        """Writes one message: a dict or a list for a struct format, a str for a line, bytes as they are. Fails with
        InvalidRequest if it does not fit the format, Unavailable while the board is away, and Refused if the board can
        move something: use `robot.drive` then."""
        stub = self._robot.stub(self.name, serial_service_pb2_grpc.SerialServiceStub)
        self._robot.ask(self.name, stub.WriteMessage, request_of(value), timeout)

    def _new_feed(self) -> Feed[BoardMessage]:
        return Feed(self._reading, lambda item: _made(item, 0), QueueSubscription)

    def close(self) -> None:
        """Ends all loops over this board."""
        self._reading.close()

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def request_of(value: Any) -> serial_service_pb2.WriteMessageRequest:
    """Returns the request that writes a value."""
    if isinstance(value, str):
        return serial_service_pb2.WriteMessageRequest(line=value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return serial_service_pb2.WriteMessageRequest(raw=bytes(value))
    return serial_service_pb2.WriteMessageRequest(json=json_of(value))


def json_of(value: Any) -> str:
    """Returns a value as JSON; numbers may be numpy's, and bytes become one character each."""
    try:
        return json.dumps(_plain(value), allow_nan=False)
    except (TypeError, ValueError) as e:
        raise InvalidRequest(f"{value!r:.200} cannot be written: {e}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("latin-1")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):  # numpy's arrays and numbers
        return value.tolist()
    return value


def _reading(robot: Robot, name: str) -> Reading[Any]:
    before = in_call = 0

    def begin() -> Any:
        nonlocal before, in_call
        before, in_call = before + in_call, 0
        stub = robot.stub(name, serial_service_pb2_grpc.SerialServiceStub)
        return stub.StreamMessages(serial_service_pb2.StreamMessagesRequest())

    def convert(step: serial_service_pb2.StreamMessagesResponse) -> Any:
        nonlocal in_call
        in_call = step.dropped_count
        return step.message, before + in_call

    reading: Reading[Any] = Reading(robot.events, name, "messages", begin, convert)
    robot.adopt(name, reading)
    return reading


def _made(item: Any, lost: int) -> BoardMessage:
    m, dropped = item
    read = m.read_time.seconds + m.read_time.nanos / 1e9
    return BoardMessage(_value(m), m.epoch, m.sequence, read, dropped + lost)


def _value(m: serial_pb2.SerialMessage) -> Any:
    kind = m.WhichOneof("body")
    if kind == "record":
        return _fields(m.record.fields)
    if kind == "sentence":
        fields = _fields(m.sentence.fields)
        named = fields if isinstance(fields, dict) else {"fields": fields}
        return {"talker": m.sentence.talker, "type": m.sentence.type, **named}
    return getattr(m, kind) if kind else None


def _fields(fields: Sequence[serial_pb2.Field]) -> Any:
    values = [_scalar(f.value) for f in fields]
    if all(f.key for f in fields):
        return dict(zip((f.key for f in fields), values))
    return values


def _scalar(value: serial_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    return getattr(value, kind) if kind else None
