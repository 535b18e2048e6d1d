"""Values of a board over time: numbers by name."""

from __future__ import annotations

import bisect
import json
import math
from dataclasses import dataclass, field

# A text that is longer is no message of a board; a message with more numbers is none for a dataset.
_MAX_TEXT, _MAX_NAMES = 64 << 10, 256


def numbers(text: str) -> dict[str, float]:
    """The numbers in a JSON text: by key for an object, by place for a list, deeper ones with dots between."""
    if not text or len(text) > _MAX_TEXT:
        return {}
    found: dict[str, float] = {}
    try:
        _collect(json.loads(text), "", found)
    except (ValueError, RecursionError):
        return {}
    return found


def _collect(value: object, name: str, to: dict[str, float]) -> None:
    if len(to) >= _MAX_NAMES:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            _collect(inner, f"{name}.{key}" if name else str(key), to)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _collect(inner, f"{name}.{i}" if name else str(i), to)
    elif isinstance(value, (bool, int, float)):
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond what a float can be
            return
        if math.isfinite(number):
            to[name or "value"] = number


@dataclass
class Series:
    """Values that count from their time on until the next ones."""

    times: list[int] = field(default_factory=list)
    values: list[dict[str, float]] = field(default_factory=list)

    def add(self, time: int, values: dict[str, float]) -> None:
        """Adds values; those that come late count from the time of those before them."""
        self.times.append(max(time, self.times[-1]) if self.times else time)
        self.values.append(values)

    def at(self, time: int) -> tuple[int, dict[str, float]] | None:
        """The newest values at a time, and since when they count."""
        i = bisect.bisect_right(self.times, time) - 1
        return (self.times[i], self.values[i]) if i >= 0 else None

    def names(self) -> list[str]:
        """The names of all values, in the order in which they first came."""
        return list(dict.fromkeys(name for values in self.values for name in values))[:_MAX_NAMES]


@dataclass
class Stops:
    """What an actuator was doing: whether it carried commands out, and who held its lease."""

    times: list[int] = field(default_factory=list)
    driving: list[bool] = field(default_factory=list)
    holders: list[str] = field(default_factory=list)
    safe: dict[str, float] = field(default_factory=dict)

    def add(self, time: int, driving: bool, holder: str, safe: dict[str, float]) -> None:
        self.times.append(max(time, self.times[-1]) if self.times else time)
        self.driving.append(driving)
        self.holders.append(holder)
        self.safe = self.safe or safe

    def stopped(self, since: int, time: int) -> bool:
        """Whether it stood still at a time, whatever it was told at an earlier one."""
        i = bisect.bisect_right(self.times, time) - 1
        return i >= 0 and self.times[i] >= since and not self.driving[i]

    def drives(self) -> list[tuple[int, int]]:
        """From when to when somebody held the lease: one drive for each holder."""
        found: list[tuple[int, int]] = []
        holder, begin = "", 0
        for time, now in zip(self.times, self.holders):
            if now == holder:
                continue
            if holder:
                found.append((begin, time))
            holder, begin = now, time
        if holder:
            found.append((begin, self.times[-1]))
        return found
