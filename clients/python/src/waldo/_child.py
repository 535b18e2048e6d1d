"""What runs in the child process of waldo.process, and how both ends talk. It imports nothing heavy, so that a child
starts quickly.

The child asks for each input, and the parent answers with one: so at most one is on the way, and what waits is where
the parent bounds it. Outputs are written when they are made; the parent always reads.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import struct
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

# What messages say: the child …
LOADED, READY, ASK, OUTPUT, RAISED, ENDED, UNLOADABLE = range(1, 8)
# … and the parent.
INPUT, STOP = 101, 102

_HEAD = struct.Struct("<BI")


def send(link: Connection, kind: int, element: Any = None) -> None:
    """Sends a message. Arrays travel beside the pickle, without being copied into it."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(element, protocol=5, buffer_callback=buffers.append)
    link.send_bytes(_HEAD.pack(kind, len(buffers)) + body)
    for buffer in buffers:
        link.send_bytes(buffer.raw())


def receive(link: Connection) -> tuple[int, Callable[[], Any]]:
    """Returns what a message says, and a function that unpickles its element. EOFError or OSError: the other end is
    gone."""
    message = link.recv_bytes()
    kind, count = _HEAD.unpack_from(message)
    buffers = [bytearray(link.recv_bytes()) for _ in range(count)]
    return kind, lambda: pickle.loads(memoryview(message)[_HEAD.size :], buffers=buffers)


class _Stopped(Exception):
    """The parent wants the function to end."""


class _Inputs(Iterator[Any]):
    """The inputs, as the function gets them."""

    def __init__(self, link: Connection) -> None:
        self._link = link
        self.ready = False

    def said_ready(self) -> None:
        if not self.ready:
            self.ready = True
            send(self._link, READY)

    def __next__(self) -> Any:
        self.said_ready()
        send(self._link, ASK)
        kind, element = receive(self._link)
        if kind == STOP:
            raise StopIteration
        return element()

    def check(self) -> None:
        """Raises if the parent wants an end."""
        if self._link.poll():
            raise _Stopped


def main(link: Connection, payload: bytes) -> None:
    """Runs a function until it ends or the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to end
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        function, takes_inputs = pickle.loads(payload)
    except BaseException:
        send(link, UNLOADABLE, traceback.format_exc())
        return
    try:
        send(link, LOADED)
        try:
            _run(link, function, takes_inputs)
        except Exception as fault:
            send(link, RAISED, (_portable(fault), traceback.format_exc()))
        else:
            send(link, ENDED)
    except (BrokenPipeError, EOFError, ConnectionError):  # the parent is gone
        pass


def _run(link: Connection, function: Callable[..., Any], takes_inputs: bool) -> None:
    inputs = _Inputs(link)
    made = function(inputs) if takes_inputs else function()
    if not isinstance(made, Iterable):
        return
    try:
        for element in made:
            inputs.said_ready()
            inputs.check()
            send(link, OUTPUT, element)
    except _Stopped:
        pass
    finally:
        if hasattr(made, "close"):
            made.close()  # of a generator: its finally runs now


def _portable(fault: Exception) -> bytes | None:
    """Returns an exception as the parent can read it; None if it cannot."""
    try:
        data = pickle.dumps(fault)
        pickle.loads(data)
        return data
    except Exception:
        return None


def _end_with_parent() -> None:
    """Ends the process when its parent is gone, whatever it is busy with."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    # Whoever was forked from the parent keeps its end of the sentinel open.
    while not wait([parent.sentinel], 1.0) and os.getppid() == parent.pid:
        pass
    os._exit(1)
