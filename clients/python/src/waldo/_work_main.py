"""The program ``python -m waldo.workers``: a function of a module in several processes."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import waldo

# A process that does not live so long is in trouble: the next one waits.
_SETTLED, _PAUSE = 1.0, 1.0
# How long processes may take to work on what they have.
_STOP_FOR = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code of the program."""
    a = _arguments().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s", stream=sys.stderr)
    stop = threading.Event()

    def stopped(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stopped)
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if a.processes > 1:
            _Crew(a.processes, arguments).run(stop)
        else:
            _work(a, stop)
    except (waldo.WaldoError, ImportError, AttributeError, ValueError) as e:
        print(f"waldo.workers: {e}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.ArgumentParser:
    what = "Runs a function on the frames of a camera."
    p = argparse.ArgumentParser(prog="python -m waldo.workers", description=what)
    p.add_argument("function", metavar="MODULE:FUNCTION", help="what to call with each frame, for example faces:find")
    p.add_argument("--camera", required=True, help="whose frames")
    p.add_argument("--track", required=True, help="the group of workers that do the same")
    p.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many; default: one for each core")
    p.add_argument("--nats", help="address of the bus; default: $WALDO_NATS, or the one on this machine")
    p.add_argument("--robot", help="name of the robot, if there are several on the bus")
    p.add_argument("--format", default="bgr", choices=("bgr", "jpeg"), help="what the function gets; default: bgr")
    p.add_argument("--queue", type=int, default=2, help="how many frames may wait in each process; default: 2")
    p.add_argument("--lossless", action="store_true", help="frames must not be lost: the server keeps them")
    return p


def _work(a: argparse.Namespace, stop: threading.Event) -> None:
    """Is one of the processes."""
    do = _function(a.function)
    with waldo.Robot(a.nats, robot=a.robot, name=f"worker {a.track}") as robot:
        worker = robot.work(a.camera, a.track, do, format=a.format, queue=a.queue, lossless=a.lossless)
        stop.wait()
        worker.close()


def _function(name: str) -> Callable[[Any], Any]:
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ValueError(f"{name!r} is not MODULE:FUNCTION")
    sys.path.insert(0, os.getcwd())
    found = getattr(importlib.import_module(module), attribute)
    if not callable(found):
        raise ValueError(f"{name} is not a function")
    do: Callable[[Any], Any] = found
    return do


class _Crew:
    """Several processes, each of which is replaced when it ends."""

    def __init__(self, number: int, arguments: Sequence[str]) -> None:
        self._command = [sys.executable, "-m", "waldo.workers", *arguments, "--processes", "1"]
        self._number = number
        self._running: list[tuple[subprocess.Popen[bytes], float]] = []

    def run(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                self._replace()
                stop.wait(_PAUSE / 10)
        finally:
            self._stop()

    def _replace(self) -> None:
        living = []
        for process, since in self._running:
            if process.poll() is None:
                living.append((process, since))
                continue
            ended = "process %d has ended with %s; another one takes its place"
            logging.warning(ended, process.pid, process.returncode)
            if time.monotonic() - since < _SETTLED:
                time.sleep(_PAUSE)
        self._running = living
        while len(self._running) < self._number:
            # A process group of its own: Ctrl-C reaches it through this process, once.
            self._running.append((subprocess.Popen(self._command, start_new_session=True), time.monotonic()))

    def _stop(self) -> None:
        for process, _ in self._running:
            process.terminate()
        deadline = time.monotonic() + _STOP_FOR
        for process, _ in self._running:
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
