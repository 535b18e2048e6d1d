"""Recordings as the exporter needs them: what is in them, and messages with their times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mcap.reader import McapReader, make_reader

from waldo.errors import InvalidRequest

#: Metadata of a channel: see the Go package recording.
_DEVICE, _STREAM, _DIRECTION, _TYPE = "waldo.device", "waldo.stream", "waldo.direction", "waldo.type"

VIDEO = "waldo.media.v1.VideoFrame"
SERIAL = "waldo.serial.v1.SerialMessage"
COMMANDS = "waldo.control.v1.CommandRecord"
CONTROL = "waldo.control.v1.ControlState"

# How long before its arrival something can have been captured, and how long after it by clocks that differ a little.
# What is not in between was captured by another clock.
_MAX_DELAY, _MAX_AHEAD = 1_000_000_000, 50_000_000


@dataclass(frozen=True, order=True)
class Stream:
    """A stream of a device."""

    device: str
    stream: str
    type: str


@dataclass(frozen=True)
class Item:
    """A message."""

    stream: Stream
    #: When it was captured, in nanoseconds since 1970; when it arrived, if it was captured by another clock.
    time: int
    data: bytes


class Recording:
    """The files of one recording, by time."""

    def __init__(self, name: str, paths: Iterable[Path]) -> None:
        self.name = name
        self._close = ExitStack()
        self._readers: list[tuple[int, Path, McapReader]] = []
        self.streams: dict[Stream, int] = {}
        self.begin, self.end = 0, 0
        try:
            for path in paths:
                self._open(path, self._close.enter_context(path.open("rb")))
        except BaseException:
            self.close()
            raise
        self._readers.sort(key=lambda r: r[0])

    def _open(self, path: Path, file: IO[bytes]) -> None:
        try:
            reader = make_reader(file, validate_crcs=True)
            summary = reader.get_summary()
        except Exception as e:  # whatever the reader meets in a file that is no recording
            raise InvalidRequest(f"{path}: it cannot be read as MCAP: {e}") from e
        if summary is None or summary.statistics is None or not summary.chunk_indexes:
            problem = "it was not completed: a recorder repairs such a file when it starts, and `mcap recover` does"
            raise InvalidRequest(f"{path}: {problem}")
        statistics = summary.statistics
        if not statistics.message_count:
            return
        for id, channel in summary.channels.items():
            stream = _stream(channel)
            count = statistics.channel_message_counts.get(id, 0)
            if stream and count:
                self.streams[stream] = self.streams.get(stream, 0) + count
        first, last = statistics.message_start_time, statistics.message_end_time
        self.begin = min(self.begin, first) if self.begin else first
        self.end = max(self.end, last)
        self._readers.append((first, path, reader))

    def items(self, streams: Iterable[Stream], begin: int = 0, end: int | None = None) -> Iterator[Item]:
        """The messages of some streams that arrived from one time to before another, by arrival."""
        wanted = set(streams)
        topics = {f"/{s.device}/{s.stream}" for s in wanted}
        for _, path, reader in self._readers:
            try:
                for _, channel, m in reader.iter_messages(topics=topics, starting_at=begin, ending_before=end):
                    stream = _stream(channel)
                    if stream in wanted:
                        yield Item(stream, _time(m.log_time, m.publish_time), m.data)
            except Exception as e:  # as above; what the caller does with an item does not get here
                raise InvalidRequest(f"{path}: it is damaged: {e}") from e

    def close(self) -> None:
        self._close.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _stream(channel: Any) -> Stream | None:
    m = channel.metadata
    if m.get(_DIRECTION) != "out" or channel.topic != f"/{m.get(_DEVICE)}/{m.get(_STREAM)}":
        return None
    return Stream(m[_DEVICE], m[_STREAM], m.get(_TYPE, ""))


def _time(arrived: int, captured: int) -> int:
    return captured if -_MAX_AHEAD <= arrived - captured <= _MAX_DELAY else arrived


def grouped(paths: Iterable[Path]) -> list[tuple[str, list[Path]]]:
    """The files of each recording, by its name: several that follow one another are called TIME_ROBOT_NUMBER.mcap."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        parts = path.name.removesuffix(".mcap").split("_")
        one_of_many = len(parts) == 3 and len(parts[0]) == 24 and parts[2].isdecimal()
        groups.setdefault("_".join(parts[:2]) if one_of_many else str(path), []).append(path)
    return list(groups.items())
