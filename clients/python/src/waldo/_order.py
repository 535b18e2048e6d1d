"""Puts results in the order in which their frames were captured."""

from __future__ import annotations

import bisect
from collections import deque
from dataclasses import dataclass

from waldo.work.v1 import work_pb2

# How many lives of the device are remembered, so that what is late is told from what is new.
_KEPT_EPOCHS = 8
# How far back it is remembered which results never came.
_KEPT_GAPS = 4096
# How long the very first result waits: what was captured before is of no interest to who has just come.
_JOINING = 0.5


@dataclass
class Counts:
    """What became of results."""

    #: Given to the reader.
    delivered: int = 0
    #: Frames that workers dropped because they were behind.
    dropped: int = 0
    #: Frames on which workers failed.
    failed: int = 0
    #: Frames of which nothing has come, so far: workers died with them, or the bus was away.
    missing: int = 0
    #: Came after a later one was delivered.
    late: int = 0
    #: For a frame of which there was one.
    duplicate: int = 0
    #: Named no frame, or did not say what became of it.
    invalid: int = 0
    #: Waited for the reader, who was too slow.
    lost: int = 0


class Order:
    """Waits for a result that has not come at most `window` seconds after a later one has, and keeps no more than
    `most` results and `most_bytes` of them. Not safe for concurrent use."""

    def __init__(self, window: float, most: int, most_bytes: int = 128 << 20) -> None:
        self._window, self._most, self._most_bytes = window, most, most_bytes
        self._epoch = self._first = self._next = self._bytes = 0
        self._past: deque[int] = deque(maxlen=_KEPT_EPOCHS)
        self._begun = False
        self._captured = 0  # ns, of the newest that was taken
        self._gaps: set[int] = set()
        self._ready: deque[work_pb2.Result] = deque()  # of epochs before
        self._waiting: list[int] = []  # numbers, in order
        self._held: dict[int, tuple[work_pb2.Result, float, int]] = {}
        self.counts = Counts()

    def put(self, result: work_pb2.Result, size: int, now: float) -> None:
        """Takes a result of size bytes."""
        if not _valid(result):
            self.counts.invalid += 1
            return
        if result.epoch != self._epoch:
            if result.epoch in self._past and not self._news(result):
                self.counts.late += 1
                return
            self._turn(result.epoch)
        number = result.sequence
        if self._begun and number < self._next:
            if not self._news(result):
                self._behind(number)
                return
            self._turn(self._epoch)  # the numbers start over, or one was wrong
        if number in self._held:
            self.counts.duplicate += 1
            return
        bisect.insort(self._waiting, number)
        self._held[number] = result, now, size
        self._bytes += size

    def take(self, now: float) -> work_pb2.Result | None:
        """Returns the next result whose turn it is, None if there is none yet."""
        if self._ready:
            return self._ready.popleft()
        due = self.due()
        if due is None:
            return None
        full = len(self._waiting) > self._most or self._bytes > self._most_bytes
        return self._emit() if self._waiting[0] == self._next or now >= due or full else None

    def due(self) -> float | None:
        """When `take` returns what waits for an earlier one; None if nothing does."""
        if not self._held:
            return None
        window = self._window if self._begun or self._past else min(self._window, _JOINING)
        return min(came for _, came, _ in self._held.values()) + window

    def _emit(self) -> work_pb2.Result:
        number = self._waiting.pop(0)
        result, _, size = self._held.pop(number)
        self._bytes -= size
        if self._begun:
            self._give_up(self._next, number)
        else:
            self._begun, self._first, self._captured = True, number, 0
        self._next = number + 1
        self._captured = max(self._captured, _time(result))
        return result

    def _give_up(self, start: int, end: int) -> None:
        self.counts.missing += end - start
        self._gaps.update(range(max(start, end - _KEPT_GAPS), end))
        if len(self._gaps) > 2 * _KEPT_GAPS:
            self._gaps = {n for n in self._gaps if n >= end - _KEPT_GAPS}

    def _turn(self, epoch: int) -> None:
        """Begins an epoch. What waits is of the one before, and is waited for no longer."""
        while self._waiting:
            self._ready.append(self._emit())
        if epoch in self._past:
            self._past.remove(epoch)
        if self._epoch not in (0, epoch):
            self._past.append(self._epoch)
        self._epoch, self._begun, self._first, self._next = epoch, False, 0, 0
        self._gaps.clear()

    def _news(self, result: work_pb2.Result) -> bool:
        """Reports whether a frame was captured after all that was taken."""
        return _time(result) > self._captured

    def _behind(self, number: int) -> None:
        """Counts a result whose turn is over."""
        if number in self._gaps:
            self._gaps.remove(number)
            self.counts.missing -= 1
            self.counts.late += 1
        elif number < self._first or number < self._next - _KEPT_GAPS:
            self.counts.late += 1
        else:
            self.counts.duplicate += 1


def _time(result: work_pb2.Result) -> int:
    return result.capture_time.seconds * 1_000_000_000 + result.capture_time.nanos


def _valid(result: work_pb2.Result) -> bool:
    """Reports whether a result names its frame and says what became of it."""
    return (
        result.epoch > 0
        and result.sequence >= 0
        and result.HasField("capture_time")
        and 0 <= result.capture_time.nanos < 1_000_000_000
        and result.outcome != work_pb2.OUTCOME_UNSPECIFIED
    )
