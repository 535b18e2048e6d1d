"""Topics: messages between the programs and pages of a robot, whose meaning only they define.

A topic is a name. Everybody who is connected to the robot may join it: programs like this one, pages
(``robot.channel('chat')`` of waldo.js), Go peers, and clients of RTCBot, whose messages are on the topic ``default``.
Who says something is heard by all others. Nothing is kept for those who come later, and nothing is sent later than now.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from waldo.bus import Bus
from waldo.errors import InvalidRequest, Unavailable
from waldo.message.v1 import message_pb2
from waldo.producers import SubscriptionProducer
from waldo.subscriptions import QueueSubscription

if TYPE_CHECKING:
    from waldo.robot import Robot

#: The longest message, in bytes: as much as a data channel carries to a page.
LONGEST: Final = 64 << 10
#: How many messages wait for a reader that is slow; then the oldest are lost.
WAITING: Final = 256

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# A robot that is not there yet is looked for again after so long.
_LOOK = 0.1


class Topic(SubscriptionProducer[Any]):
    """One topic of a robot. ``for message in topic``, ``subscribe``, ``await topic.get()`` and ``take`` read what
    others say, from when one of them is first used; what this program says itself it does not hear.

    Messages are what JSON can say, or bytes. Text that is not JSON arrives as it is, as a str."""

    def __init__(self, robot: Robot, name: str) -> None:
        if not _NAME.fullmatch(name):
            rule = "use 1 to 64 letters, digits, hyphens and underscores"
            raise InvalidRequest(f"topic: {name[:80]!r} is not a name: {rule}")
        super().__init__(lambda: QueueSubscription(WAITING))
        self.name = name
        self._sender = f"{robot.name}-{secrets.token_hex(8)}"
        self._subject = f"waldo.v1.{name_of(robot)}.msg.{name}"
        self._bus: Bus = robot.bus
        self._membership = self._bus.subscribe(self._subject, message_pb2.Message, self._received)
        self._setReady(True)

    def put_nowait(self, value: Any) -> None:
        """Says something to all others: anything that JSON can say, or bytes; at most 64 KiB. It is sent now or, while
        the bus is away, not at all: Unavailable."""
        now = Timestamp()
        now.FromNanoseconds(time.time_ns())
        message = message_pb2.Message(topic=self.name, sender=self._sender, publish_time=now)
        if isinstance(value, (bytes, bytearray, memoryview)):
            message.data = bytes(value)
        else:
            message.text = _json(value)
        size = len(message.data) or len(message.text)  # JSON of Python is ASCII
        if size > LONGEST:
            raise InvalidRequest(
                f"topic {self.name}: the message has {size} bytes, and {LONGEST} is the most: send it in parts, "
                "or publish pictures as a camera (robot.publish)"
            )
        self._bus.publish(self._subject, message)

    def _received(self, message: message_pb2.Message) -> None:
        if message.sender != self._sender:
            self._put_nowait(_value(message))

    def _stop(self) -> None:
        self._membership.close()
        super()._stop()


def name_of(robot: Robot) -> str:
    """Returns the name of the robot, and waits for it as for a device. For modules of this package."""
    deadline = time.monotonic() + robot.timeout
    while True:
        try:
            return robot.robot
        except Unavailable:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_LOOK)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as e:
        raise InvalidRequest(f"a message must be what JSON can say, or bytes: {e}") from None


def _value(message: message_pb2.Message) -> Any:
    if message.WhichOneof("body") == "data":
        return message.data
    try:
        return json.loads(message.text)
    except (ValueError, RecursionError):
        return message.text
