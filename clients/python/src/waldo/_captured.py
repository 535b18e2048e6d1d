"""What everything that is read from a device has: where it comes from, and how old it is."""

from __future__ import annotations

import time
from typing import Protocol


def age_of(at: float, received: float) -> float:
    """Returns how many seconds ago something happened, `at` by the clock of the device's machine. It compares the
    clocks of two machines if the device is on another, but is never less than the time since it was received here."""
    return max(time.time() - at, time.monotonic() - received)


class _Info(Protocol):
    @property
    def epoch(self) -> int: ...
    @property
    def sequence(self) -> int: ...
    @property
    def capture_time(self) -> float: ...
    @property
    def replay_time(self) -> float: ...
    @property
    def received(self) -> float: ...
    @property
    def dropped(self) -> int: ...


class Captured:
    """The attributes that pictures, packets and pieces of sound have."""

    info: _Info

    @property
    def epoch(self) -> int:
        """The life of the device that captured it; a new number means that the device has restarted."""
        return self.info.epoch

    @property
    def sequence(self) -> int:
        """Its position in the stream and epoch; a gap is a loss."""
        return self.info.sequence

    @property
    def capture_time(self) -> float:
        """When it, or its first sample, was captured, in seconds since 1970 by the clock of the device's machine;
        compare time.time(). Replays keep it."""
        return self.info.capture_time

    @property
    def age(self) -> float:
        """How many seconds ago it was captured, or, of a replay, when that came to it. It compares the clocks of two
        machines if the device is on another, but is never less than the time since it was received here."""
        return age_of(self.info.replay_time or self.info.capture_time, self.info.received)

    @property
    def dropped(self) -> int:
        """How many the loop has lost so far because it was slow."""
        return self.info.dropped
