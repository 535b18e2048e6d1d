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

# A message begins with its kind and the number of pieces; then come their sizes, and the pieces: a pickle, and the
# memory of the arrays in it.
_HEAD, _SIZE = struct.Struct("<BI"), struct.Struct("<Q")


def send(link: Connection, kind: int, element: Any = None) -> None:
    """Sends a message. The memory of contiguous arrays travels beside the pickle, without being copied."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(element, protocol=5, buffer_callback=buffers.append)
    pieces = [memoryview(body), *(buffer.raw() for buffer in buffers)]
    head = _HEAD.pack(kind, len(pieces)) + b"".join(_SIZE.pack(len(piece)) for piece in pieces)
    for piece in [memoryview(head), *pieces]:
        while piece:
            piece = piece[os.write(link.fileno(), piece) :]


def receive(link: Connection) -> tuple[int, Callable[[], Any]]:
    """Returns what a message says, and a function that unpickles its element. EOFError or OSError: the other end is
    gone."""
    kind, count = _HEAD.unpack(_read(link, _HEAD.size))
    sizes = [size for (size,) in _SIZE.iter_unpack(_read(link, count * _SIZE.size))]
    body, *buffers = [_read(link, size) for size in sizes]
    return kind, lambda: pickle.loads(body, buffers=buffers)


def _read(link: Connection, size: int) -> bytearray:
    whole = bytearray(size)
    rest = memoryview(whole)
    while rest:
        got = os.readv(link.fileno(), [rest])
        if not got:
            raise EOFError
        rest = rest[got:]
    return whole


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
