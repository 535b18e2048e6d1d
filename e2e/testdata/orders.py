"""What the puppets of the benchmark of workers have in common: events that they print, orders that they read."""
import json
import os
import signal
import threading
import time


def tell(event, value=None):
    print(json.dumps({"event": event, "value": value}), flush=True)


class Window:
    """Measures results for as long as the order {"measure": seconds} says; the program ends with its orders."""

    def __init__(self):
        self._end, self._begin, self._ages, self._numbers = 0.0, 0.0, [], []
        threading.Thread(target=self._obey, daemon=True).start()

    def _obey(self):
        # Not sys.stdin: a process that multiprocessing forks closes that, and would wait for its lock.
        for line in open(os.dup(0), "rb", buffering=0):
            self._begin = time.time()
            self._end = self._begin + json.loads(line)["measure"]
        os.killpg(os.getpgrp(), signal.SIGKILL)  # this program, and processes that it has started

    def see(self, captured, number):
        """Counts a result that is here now."""
        now = time.time()
        if not self._end:
            return
        if now < self._end:
            self._ages.append(1000 * (now - captured))
            self._numbers.append(number)
            return
        disorder = sum(a > b for a, b in zip(self._numbers, self._numbers[1:]))
        tell("measured", {"fps": len(self._ages) / (now - self._begin), "ages": self._ages, "disorder": disorder})
        self._end, self._ages, self._numbers = 0.0, [], []
