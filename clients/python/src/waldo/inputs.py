"""Gamepads, keyboards and mice on the robot."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from waldo._captured import age_of
from waldo._subscribable import Feed, Subscribable
from waldo.input.v1 import input_pb2, input_service_pb2, input_service_pb2_grpc
from waldo.reading import Box, Loop, Reading
from waldo.subscriptions import QueueSubscription

if TYPE_CHECKING:
    from waldo.robot import Robot

# Reports wait here before the device notices that the reader is slow; then it starts over, with the state.
_WAITING = 16

_KINDS = {
    input_pb2.EVENT_KIND_KEY: "key",
    input_pb2.EVENT_KIND_RELATIVE: "relative",
    input_pb2.EVENT_KIND_ABSOLUTE: "absolute",
}


@dataclass(frozen=True)
class InputEvent:
    """One change."""

    #: Its name in Linux, for example "BTN_SOUTH" or "ABS_X".
    name: str
    #: Keys 0 or 1; axes with a middle -1 to 1, triggers 0 to 1; movements as they are.
    value: float
    #: "key", "relative", "absolute" or "other".
    kind: str
    #: As the kernel gives it; for keys 2 means repeated.
    raw: int
    #: Linux event code within its kind.
    code: int


@dataclass(frozen=True)
class InputReport:
    """What changed at one moment, and the state after it."""

    events: tuple[InputEvent, ...]
    #: Position of each axis, and 1 for each key that is pressed, by name.
    state: Mapping[str, float]
    #: True if the steps in between are unknown: at first, after a restart, and for a loop that was too slow.
    resync: bool = False
    epoch: int = 0
    sequence: int = 0
    #: When it happened, in seconds since 1970 by the clock of the device's machine; 0 for a state.
    event_time: float = 0.0
    received: float = field(default_factory=time.monotonic, repr=False, compare=False)

    @property
    def age(self) -> float:
        """How many seconds ago it happened; never less than the time since it was received here, and just that for a
        state."""
        return age_of(self.event_time, self.received) if self.event_time else time.monotonic() - self.received


class Input(Subscribable[InputReport]):
    """One input device. A loop over it gives a report for its state, and then for every change. Nothing is left out,
    because a lost key-up is a runaway: a loop that is too slow is started over, with the state."""

    def __init__(self, robot: Robot, name: str) -> None:
        super().__init__()
        self.name = name
        self._robot = robot

    def reports(self) -> Loop[Any]:
        """Returns a loop over the reports from now on, with `take(timeout)` and `close()`."""
        reading = _reading(self._robot, self.name)
        return Loop(reading, Box[Any](_WAITING, newest=False), None)

    def __iter__(self) -> Iterator[InputReport]:
        return self.reports()

    def __aiter__(self) -> AsyncIterator[InputReport]:
        return self.reports()

    def _new_feed(self) -> Feed[InputReport]:
        return Feed(_reading(self._robot, self.name), lambda report: report, QueueSubscription)

    def state(self, timeout: float = 5.0) -> Mapping[str, float]:
        """Returns the positions of the axes, and 1 for each key that is pressed, by name."""
        stub = self._robot.stub(self.name, input_service_pb2_grpc.InputServiceStub)
        response = self._robot.ask(self.name, stub.GetState, input_service_pb2.GetStateRequest(), timeout)
        return _state(response.state)


def _reading(robot: Robot, name: str) -> Reading[InputReport]:
    state: dict[str, float] = {}

    def begin() -> Any:
        stub = robot.stub(name, input_service_pb2_grpc.InputServiceStub)
        return stub.StreamReports(input_service_pb2.StreamReportsRequest())

    def convert(step: input_service_pb2.StreamReportsResponse) -> InputReport | None:
        nonlocal state
        kind = step.WhichOneof("body")
        if kind == "state":
            state = _state(step.state)
            return InputReport((), dict(state), True, step.state.epoch, step.state.sequence)
        if kind != "report":
            return None  # a kind of step that this package does not know
        events = tuple(_event(e) for e in step.report.events)
        _apply(state, events)
        report, at = step.report, step.report.event_time
        return InputReport(
            events, dict(state), report.resync, report.epoch, report.sequence, at.seconds + at.nanos / 1e9
        )

    reading: Reading[InputReport] = Reading(robot.events, name, "reports", begin, convert)
    robot.adopt(name, reading)
    return reading


def _event(e: input_pb2.Event) -> InputEvent:
    return InputEvent(e.name or str(e.code), e.normalized, _KINDS.get(e.kind, "other"), e.value, e.code)


def _state(s: input_pb2.State) -> dict[str, float]:
    return {e.name or str(e.code): e.normalized for e in (*s.axes, *s.keys)}


def _apply(state: dict[str, float], events: tuple[InputEvent, ...]) -> None:
    for e in events:
        if e.kind == "absolute":
            state[e.name] = e.value
        elif e.kind == "key" and e.value:
            state[e.name] = e.value
        elif e.kind == "key":
            state.pop(e.name, None)
