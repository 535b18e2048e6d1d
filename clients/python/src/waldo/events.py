"""What happens to a robot's devices and to the connections to them, for logs and for callbacks."""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from waldo.errors import printable

log = logging.getLogger("waldo")

#: Events that wait for callbacks; beyond that the oldest are lost.
MOST_WAITING = 256


@dataclass(frozen=True)
class Event:
    """One thing that happened."""

    #: The device, or "bus".
    source: str
    #: "connected", "lost", "waiting", "restarted", "ready", "away", "reading", "publishing", "failed".
    kind: str
    #: For people to read.
    text: str

    def __str__(self) -> str:
        return f"{self.source}: {self.text}"


_LEVELS = {"lost": logging.WARNING, "waiting": logging.WARNING, "away": logging.WARNING, "failed": logging.ERROR}


class Events:
    """Logs events, and hands them to callbacks on a thread of their own, in order. Callbacks may block; then events
    wait, and beyond 256 the oldest are lost and counted."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: collections.deque[Event] = collections.deque(maxlen=MOST_WAITING)
        self._callbacks: dict[int, Callable[[Event], object]] = {}
        self._next = 0
        self._thread: threading.Thread | None = None
        self._closed = False
        self.lost = 0

    def emit(self, source: str, kind: str, text: str, used: bool = True) -> None:
        """Reports an event; never blocks. What happens to a device that the program does not use is no warning."""
        event = Event(source, kind, printable(text).replace("\n", " "))
        log.log(_LEVELS.get(kind, logging.INFO) if used else logging.INFO, "%s", event)
        with self._changed:
            if self._closed or not self._callbacks:
                return
            self.lost += len(self._waiting) == MOST_WAITING
            self._waiting.append(event)
            self._changed.notify()

    def listen(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Has callback called with every event from now on, until the function that it returns is called."""
        with self._changed:
            number, self._next = self._next, self._next + 1
            self._callbacks[number] = callback
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="waldo-events", daemon=True)
                self._thread.start()

        def stop() -> None:
            with self._changed:
                self._callbacks.pop(number, None)

        return stop

    def close(self) -> None:
        """Ends the thread. A callback that is running is not waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                event = self._waiting.popleft()
                callbacks = list(self._callbacks.values())
            for callback in callbacks:
                try:
                    callback(event)
                except Exception:
                    log.exception("a callback of on_event failed on %r", event)
