"""Functions that the tests run in other processes, so they belong to a module that those can import."""

from __future__ import annotations

import os
import pathlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np


def count() -> Iterator[int]:
    i = 0
    while True:
        yield i
        i += 1
        time.sleep(0.001)


def three() -> Iterator[int]:
    yield from range(3)


def double(inputs: Iterator[Any]) -> Iterator[Any]:
    for x in inputs:
        yield x * 2


def swallow(inputs: Iterator[Any]) -> None:
    for _ in inputs:
        pass


def first(inputs: Iterator[Any]) -> Iterator[Any]:
    yield next(inputs)


def fail() -> Iterator[int]:
    yield 1
    raise KeyError("no such thing")


class Stubborn(Exception):
    """Cannot be unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("stubborn")


def fail_strangely(inputs: Iterator[Any]) -> None:
    raise Stubborn(1, 2)


def pids() -> Iterator[int]:
    while True:
        yield os.getpid()
        time.sleep(0.001)


def answer_and_die(inputs: Iterator[Any]) -> Iterator[Any]:
    """Dies of the input "die"."""
    for x in inputs:
        if x == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        yield x


def hang() -> Iterator[int]:
    yield os.getpid()
    while True:
        time.sleep(60)


def hang_quietly(inputs: Iterator[Any]) -> Iterator[int]:
    """Refuses to end, and to read."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield os.getpid()
    while True:
        time.sleep(60)


def clean_up(path: str) -> Iterator[int]:
    try:
        while True:
            yield 1
            time.sleep(0.001)
    finally:
        pathlib.Path(path).write_text("cleaned up")


def pictures() -> Iterator[Any]:
    while True:
        yield np.full((720, 1280, 3), 7, np.uint8)


def unpicklable() -> Iterator[Any]:
    yield threading.Lock()


class Unloadable:
    """Is pickled, and cannot be unpickled."""

    def __call__(self) -> Iterator[int]:
        yield 1

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> Any:
    raise ImportError("not here")


class Deadly:
    """Kills the process that unpickles it."""

    def __call__(self) -> Iterator[int]:
        yield 1

    def __reduce__(self) -> Any:
        return os._exit, (3,)


def upside_down(frames: Iterator[Any]) -> Iterator[Any]:
    for frame in frames:
        yield frame[::-1]
