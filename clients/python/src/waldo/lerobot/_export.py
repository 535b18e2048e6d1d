"""From recordings to a dataset: which episodes there are, and what is at each time of one."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waldo.control.v1 import control_pb2
from waldo.errors import InvalidRequest, NotFound
from waldo.lerobot._dataset import Camera, Dataset, Floats, Images
from waldo.lerobot._pictures import Decoder, rgb
from waldo.lerobot._recording import COMMANDS, CONTROL, SERIAL, VIDEO, Item, Recording, Stream, grouped
from waldo.lerobot._values import Series, Stops, numbers
from waldo.serial.v1 import serial_pb2

_SECOND = 1_000_000_000
# How long before an episode reading begins, for the key frame before it and the newest values; and how long after its
# end something can still arrive that was captured in it.
_BEFORE, _AFTER = 15 * _SECOND, 2 * _SECOND
# Rows a second: without a camera, and at most.
_FPS, _MAX_FPS = 10, 240
# Pictures from which the rate of a camera is found out.
_RATE_OF = 300
# An episode has more rows than that.
_MIN_ROWS = 2


@dataclass(frozen=True)
class Options:
    """What becomes of recordings."""

    #: Only these devices; empty: all.
    devices: Sequence[str] = ()
    #: Rows a second; 0: as the pictures of the first camera come.
    fps: int = 0
    #: ``drives``: each drive, from the lease to its end, is an episode; ``recordings``: each recording is one.
    episodes: str = "drives"
    #: What was to be done, for policies that are told.
    task: str = "drive the robot"
    #: Kind of the robot, for people.
    robot: str = "waldo"
    #: Is told what is done, for people.
    say: Callable[[str], None] = lambda text: None


@dataclass
class _Plan:
    """What the dataset has."""

    fps: int = 0
    cameras: dict[Stream, Camera] = field(default_factory=dict)
    boards: dict[Stream, list[str]] = field(default_factory=dict)
    actuators: dict[Stream, list[str]] = field(default_factory=dict)

    def names(self) -> dict[str, list[str]]:
        """The names of the values of each feature that has any."""
        features = {"observation.state": self.boards, "action": self.actuators}
        named = {feature: _qualified(of) for feature, of in features.items()}
        return {feature: names for feature, names in named.items() if names}


def _qualified(of: dict[Stream, list[str]]) -> list[str]:
    """Names of several devices begin with the device's."""
    several = sum(1 for names in of.values() if names) > 1
    return [f"{s.device}.{name}" if several else name for s, names in of.items() for name in names]


def export(recordings: Sequence[Path], output: Path, options: Options | None = None) -> None:
    """Writes a dataset of recordings to a folder, which must not be there yet.

    Raises InvalidRequest for a file that is no recording or is damaged, NotFound if there is nothing to export.
    """
    o = options or Options()
    if output.exists():
        raise InvalidRequest(f"{output} is there already: choose another name, or remove it first")
    if not 0 <= o.fps <= _MAX_FPS:
        raise InvalidRequest(f"fps is {o.fps}, not 1 to {_MAX_FPS}")
    groups = grouped(recordings)
    plan = _survey(groups, o)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as folder:
        root = Path(folder) / "dataset"
        root.mkdir()
        dataset = Dataset(root, plan.fps, o.robot, plan.names(), list(plan.cameras.values()))
        try:
            for name, paths in groups:
                with Recording(name, paths) as recording:
                    _recording(recording, plan, dataset, o)
        finally:
            if dataset.episodes:
                dataset.close()
        if not dataset.episodes:
            raise NotFound(_nothing(o))
        shutil.move(root, output)
    o.say(f"wrote {output}: {dataset.episodes} episodes, {dataset.frames} rows at {plan.fps} a second")


def _nothing(o: Options) -> str:
    if o.episodes == "drives":
        none = "nobody held the lease of an actuator: there is no drive"
        return f"{none}. With --episodes recordings each recording is an episode"
    return "the recordings are too short"


def _survey(groups: Sequence[tuple[str, list[Path]]], o: Options) -> _Plan:
    """Finds out what there is in all recordings."""
    plan = _Plan(fps=o.fps)
    there: set[str] = set()
    for name, paths in groups:
        with Recording(name, paths) as recording:
            there.update(s.device for s in recording.streams)
            for stream in sorted(recording.streams):
                if not o.devices or stream.device in o.devices:
                    _look(recording, stream, plan)
    for device in o.devices:
        if device not in there:
            raise NotFound(
                f"there is no {device!r} in the recordings, but {', '.join(sorted(there)) or 'no device at all'}"
            )
    if not plan.cameras and not plan.names():
        raise NotFound("there are no pictures, no values of boards and no commands in the recordings")
    plan.fps = plan.fps or _FPS
    return plan


def _look(recording: Recording, stream: Stream, plan: _Plan) -> None:
    if stream.type == VIDEO and stream.stream == "video" and stream not in plan.cameras:
        for _, picture in Decoder().frames(recording.items([stream])):
            width, height = picture.width // 2 * 2, picture.height // 2 * 2  # H.264 of 4:2:0 has even sides
            plan.cameras[stream] = Camera(f"observation.images.{stream.device}", width, height)
            plan.fps = plan.fps or _rate(recording, stream)
            break
    elif stream.type == SERIAL:
        _merge(plan.boards, stream, _values(recording, stream, _reading))
    elif stream.type == COMMANDS:
        _merge(plan.actuators, stream, _values(recording, stream, _command))


def _merge(into: dict[Stream, list[str]], stream: Stream, values: Series) -> None:
    names = into.setdefault(stream, [])
    names.extend(name for name in values.names() if name not in names)


def _rate(recording: Recording, stream: Stream) -> int:
    """How many pictures a second there are, rounded."""
    times = [item.time for item in islice(recording.items([stream]), _RATE_OF)]
    apart = [b - a for a, b in zip(times, times[1:]) if b > a]
    if not apart:
        return 0
    return int(min(max(round(_SECOND / statistics.median(apart)), 1), _MAX_FPS))


def _values(recording: Recording, stream: Stream, read: Callable[[bytes], dict[str, float]], *span: int) -> Series:
    series = Series()
    for item in recording.items([stream], *span):
        if values := read(item.data):
            series.add(item.time, values)
    return series


def _reading(data: bytes) -> dict[str, float]:
    """What a board reports."""
    message = serial_pb2.SerialMessage()
    try:
        message.ParseFromString(data)
    except ValueError:
        return {}
    return numbers(message.json)


def _command(data: bytes) -> dict[str, float]:
    """A command that was accepted."""
    record = control_pb2.CommandRecord()
    try:
        record.ParseFromString(data)
    except ValueError:
        return {}
    if record.report.verdict != control_pb2.COMMAND_VERDICT_ACCEPTED:
        return {}
    return numbers(record.message_json)


def _stops(recording: Recording, device: str) -> Stops:
    """What an actuator did."""
    stops = Stops()
    state = control_pb2.ControlState()
    for stream in recording.streams:
        if stream.device != device or stream.type != CONTROL:
            continue
        for item in recording.items([stream]):
            try:
                state.ParseFromString(item.data)
            except ValueError:
                continue
            driving = state.phase == control_pb2.CONTROL_PHASE_DRIVING
            stops.add(item.time, driving, state.holder, numbers(state.safe_json))
    return stops


def _recording(recording: Recording, plan: _Plan, dataset: Dataset, o: Options) -> None:
    """Adds the episodes of a recording."""
    missing = [s.device for s in plan.cameras if s not in recording.streams]
    if missing:
        o.say(f"{recording.name}: left out, as it has no pictures of {', '.join(missing)}")
        return
    stops = {s: _stops(recording, s.device) for s in plan.actuators}
    spans = [(recording.begin, recording.end)]
    if o.episodes == "drives":
        spans = _joined(span for s in stops.values() for span in s.drives())
    for begin, end in spans:
        length = (end - begin) * plan.fps // _SECOND
        if length < _MIN_ROWS:
            continue
        times = begin + np.arange(length, dtype=np.int64) * _SECOND // plan.fps
        place = " to ".join(f"{(t - recording.begin) / _SECOND:.1f} s" for t in (begin, end))
        images = [_images(recording, s, dataset.images(c.key), times) for s, c in plan.cameras.items()]
        values = _features(recording, plan, stops, times)
        dataset.add(length, o.task, values, images)
        o.say(f"episode {dataset.episodes - 1}: {length} rows ({recording.name}, {place})")


def _joined(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans by time, those that overlap as one: somebody who drives two actuators drives once."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def _images(recording: Recording, stream: Stream, to: Images, times: npt.NDArray[np.int64]) -> Images:
    """Writes the newest picture at each time; before the first one, that."""
    items: Iterator[Item] = recording.items([stream], int(times[0]) - _BEFORE, int(times[-1]) + _AFTER)
    now: Any = None
    at = 0

    def until(time: int | None, picture: Any) -> None:
        nonlocal at
        if at == len(times) or time is not None and times[at] >= time:
            return
        pixels = rgb(picture, to.camera.width, to.camera.height)
        while at < len(times) and (time is None or times[at] < time):
            to.write(pixels)
            at += 1

    for time, picture in Decoder().frames(items):
        until(time, picture if now is None else now)
        if at == len(times):
            return to
        now = picture
    if now is None:
        raise NotFound(f"{recording.name}: {stream.device} has no picture that can be decoded in a drive")
    until(None, now)
    return to


def _features(
    recording: Recording, plan: _Plan, stops: dict[Stream, Stops], times: npt.NDArray[np.int64]
) -> dict[str, Floats]:
    span = int(times[0]) - _BEFORE, int(times[-1]) + _AFTER
    state = [_column(_values(recording, s, _reading, *span), names, times) for s, names in plan.boards.items()]
    commands = {s: _values(recording, s, _command, *span) for s in plan.actuators}
    action = [_action(commands[s], stops[s], names, times) for s, names in plan.actuators.items()]
    parts: dict[str, list[Any]] = {"observation.state": state, "action": action}
    names = plan.names()
    return {feature: np.concatenate(parts[feature], axis=1).astype(np.float32) for feature in names}


def _column(series: Series, names: list[str], times: npt.NDArray[np.int64]) -> Floats:
    """The newest values at each time; before the first ones, these. A message without a value leaves it as it was."""
    rows = np.zeros((len(times), len(names)), np.float32)
    known: dict[str, float] = {}
    for values in reversed(series.values):
        known |= values
    at = 0
    for i, time in enumerate(times):
        while at < len(series.times) and series.times[at] <= time:
            known |= series.values[at]
            at += 1
        rows[i] = [known.get(name, 0) for name in names]
    return rows


def _action(series: Series, stops: Stops, names: list[str], times: npt.NDArray[np.int64]) -> Floats:
    """The newest accepted command at each time; what means standing still where the actuator had stopped since."""
    rows = np.zeros((len(times), len(names)), np.float32)
    safe = [stops.safe.get(name, 0) for name in names]
    for i, time in enumerate(times):
        newest = series.at(int(time))
        if newest is None or stops.stopped(newest[0], int(time)):
            rows[i] = safe
        else:
            rows[i] = [newest[1].get(name, known) for name, known in zip(names, safe)]
    return rows
