"""Decodes JPEG with whichever library is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from waldo.errors import InvalidRequest


def decoder() -> Callable[[bytes], Any]:
    """Returns a function that makes an array of (height, width, 3), blue first, of a JPEG. It raises ValueError for
    what is none. Fails with InvalidRequest if no library is installed that can."""
    for make in (_simplejpeg, _opencv, _pillow):
        try:
            return make()
        except ImportError:
            pass
    raise InvalidRequest(
        'pictures cannot be decoded: install simplejpeg (pip install simplejpeg), OpenCV or Pillow, '
        'or take them as they are with format="jpeg"'
    )


def _simplejpeg() -> Callable[[bytes], Any]:
    library = importlib.import_module("simplejpeg")
    return lambda data: library.decode_jpeg(data, colorspace="BGR")


def _opencv() -> Callable[[bytes], Any]:
    library = importlib.import_module("cv2")

    def decode(data: bytes) -> Any:
        picture = library.imdecode(np.frombuffer(data, np.uint8), library.IMREAD_COLOR)
        if picture is None:
            raise ValueError("OpenCV cannot read it")
        return picture

    return decode


def _pillow() -> Callable[[bytes], Any]:
    library = importlib.import_module("PIL.Image")
    io = importlib.import_module("io")

    def decode(data: bytes) -> Any:
        try:
            with library.open(io.BytesIO(data), formats=("JPEG",)) as picture:
                return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:, :, ::-1])
        except OSError as e:
            raise ValueError(str(e)) from None

    return decode
