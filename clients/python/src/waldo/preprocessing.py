"""Functions that change the pictures of a camera before they are encoded, for the key `preprocess` of robot.yaml:

    # blur.py, and in robot.yaml:  front: {kind: camera, source: /dev/video0, preprocess: "python blur.py"}
    import cv2, waldo

    @waldo.preprocess
    def blur(picture):
        return cv2.GaussianBlur(picture, (31, 31), 0)

A camera runs the file as a command, and gives it pictures on its standard input: raw BGR24 of FRAME_WIDTH x
FRAME_HEIGHT, nothing between them. For each it takes one of the same size from its standard output.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from waldo.errors import WaldoError

F = TypeVar("F", bound=Callable[[npt.NDArray[np.uint8]], Any])

_MAX_SIDE = 8192


def preprocess(function: F) -> F:
    """Has a function change each picture. It gets a numpy array of uint8, (height, width, 3) in BGR, which it may
    change, and returns one of the same shape and type, or None if it has changed its own.

    In a file that a camera runs, nothing after the decorated function is executed: pictures come from then on, until
    the camera ends. What the file prints goes to the camera's log; before the function, it must not be flushed. An
    exception ends the file, which is also in the log; the camera starts it again, and pictures pass unchanged
    meanwhile. Elsewhere, in a test for example, the decorator returns the function as it is."""
    if "FRAME_WIDTH" in os.environ and getattr(function, "__module__", "") == "__main__":
        width, height = (_side(name) for name in ("FRAME_WIDTH", "FRAME_HEIGHT"))
        with _own_output() as output, io.FileIO(os.dup(0)) as pictures:
            run(function, pictures, output, width, height)
        sys.exit(0)
    return function


def run(function: Callable[[npt.NDArray[np.uint8]], Any], source: Any, to: Any, width: int, height: int) -> int:
    """Has a function change the pictures of one stream of bytes and writes them to another, both unbuffered, until the
    first ends; returns how many. Fails with WaldoError for a result that is not a picture of the same size."""
    done = 0
    while True:
        picture = np.empty((height, width, 3), np.uint8)
        if not _fill(source, picture.data.cast("B")):
            return done
        result = function(picture)
        if result is None:
            result = picture
        _check(result, picture)
        _write(to, np.ascontiguousarray(result).data.cast("B"))
        done += 1


def _check(result: Any, picture: npt.NDArray[np.uint8]) -> None:
    shape, dtype = getattr(result, "shape", None), getattr(result, "dtype", None)
    if shape is None or dtype is None:
        kind = type(result).__name__
        raise WaldoError(f"the function returned {kind}: return a numpy array, or None for its own picture")
    if shape != picture.shape:
        rule = f"it must have the one it got, {picture.shape}"
        raise WaldoError(f"the function returned a picture of shape {shape}: {rule}")
    if dtype != np.uint8:
        rule = "it must be uint8, for example picture.astype('uint8')"
        raise WaldoError(f"the function returned a picture of {dtype}: {rule}")


def _fill(source: Any, room: memoryview) -> bool:
    """Reads until there is no room; reports whether there was enough to read."""
    while len(room) > 0:
        got = source.readinto(room)
        if not got:
            return False
        room = room[got:]
    return True


def _write(to: Any, data: memoryview) -> None:
    while len(data) > 0:
        data = data[to.write(data) :]


def _side(name: str) -> int:
    text = os.environ.get(name, "")
    if not text.isdecimal() or not 0 < int(text) <= _MAX_SIDE:
        raise WaldoError(f"{name} is {text!r}: a camera that runs this file sets it to 1 to {_MAX_SIDE}")
    return int(text)


def _own_output() -> io.FileIO:
    """Keeps standard output for pictures alone: what is printed goes to standard error, also what was not flushed
    yet."""
    output = os.dup(1)
    os.dup2(2, 1)
    sys.stdout.flush()
    return io.FileIO(output, "wb")
