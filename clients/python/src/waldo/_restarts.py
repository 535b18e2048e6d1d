"""When a process that died is started again."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds before the first restart, between two of them at most, and of a life after which they start over.
FIRST, LONGEST, HEALTHY = 0.1, 5.0, 10.0


class Restarts:
    """Says how long to wait before each start. A process that lives for a while is started again soon; one that dies at
    once again and again, ever later."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._begun, self._pause = clock, clock(), FIRST

    def began(self) -> None:
        """Notes that the process has been started."""
        self._begun = self._clock()

    def pause(self) -> float:
        """Returns the seconds to wait after the process has died."""
        if self._clock() - self._begun >= HEALTHY:
            self._pause = FIRST
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST)
        return pause
