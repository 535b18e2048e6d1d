"""Functions between camera and encoder."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import waldo
from tests.live import Place, until
from waldo.preprocessing import run

PICTURE = bytes(range(4 * 2 * 3))


class Drops(io.RawIOBase):
    """A stream that takes and gives little at a time."""

    def __init__(self, data: bytes = b"") -> None:
        self.inside = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        return self.inside.readinto(memoryview(room)[:5])

    def write(self, data: Any) -> int:
        return self.inside.write(memoryview(data)[:7])


def _darker(picture: Any) -> Any:
    return picture // 2


def _in_place(picture: Any) -> None:
    picture //= 2


def _strided(picture: Any) -> Any:
    return np.asarray(picture // 2)[::-1][::-1]


@pytest.mark.parametrize("function", [_darker, _in_place, _strided])
def test_each_picture_is_changed(function: Any) -> None:
    to = Drops()
    assert run(function, Drops(PICTURE * 3 + b"rest"), to, 4, 2) == 3
    assert to.inside.getvalue() == bytes(b // 2 for b in PICTURE) * 3


@pytest.mark.parametrize(
    ("result", "remedy"),
    [
        (np.zeros((2, 2, 3), np.uint8), "must have the one it got, (2, 4, 3)"),
        (np.zeros((2, 4), np.uint8), "shape (2, 4)"),
        (np.zeros((2, 4, 3), np.float32), "picture.astype('uint8')"),
        (b"x", "bytes"),
        (7, "int"),
    ],
)
def test_what_is_no_picture_is_refused(result: Any, remedy: str) -> None:
    to = Drops()
    with pytest.raises(waldo.WaldoError, match=re.escape(remedy)):
        run(lambda _: result, Drops(PICTURE), to, 4, 2)
    assert to.inside.getvalue() == b""


def test_elsewhere_the_function_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAME_WIDTH", "4")
    assert waldo.preprocess(_darker) is _darker


FILE = """
import waldo, sys
print("loading", file=sys.stdout)

@waldo.preprocess
def darker(picture):
    print("a picture")
    return picture // 2

raise SystemExit("not reached in a camera")
"""


def start(tmp_path: Path, width: str = "4") -> subprocess.CompletedProcess[bytes]:
    file = tmp_path / "darker.py"
    file.write_text(FILE)
    own = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    env = {**own, "FRAME_WIDTH": width, "FRAME_HEIGHT": "2"}
    return subprocess.run([sys.executable, str(file)], input=PICTURE * 2, capture_output=True, env=env, timeout=60)


def test_a_file_is_a_command(tmp_path: Path) -> None:
    done = start(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == bytes(b // 2 for b in PICTURE) * 2
    assert done.stderr == b"loading\n" + b"a picture\n" * 2


def test_a_file_that_no_camera_runs_says_so(tmp_path: Path) -> None:
    done = start(tmp_path, width="x")
    assert done.returncode == 1
    assert b"FRAME_WIDTH is 'x'" in done.stderr


def test_a_camera_runs_it(place: Place) -> None:
    (place.folder / "black.py").write_text(
        "import waldo\n\n@waldo.preprocess\ndef black(picture):\n    picture[:] = 0\n"
    )
    command = f"{sys.executable} black.py"
    place.up(f"front: {{kind: camera, source: test, width: 320, height: 240, preprocess: {command!r}}}")
    with place.robot() as robot:
        frames = iter(robot.camera("front"))

        def black() -> bool:
            frame = next(frames)
            assert frame.shape == (240, 320, 3)
            return not frame.any()

        def says() -> str:
            return robot.device("front").attributes.get("preprocess", "")

        until("a black picture", black)
        # On a busy machine some may be late.
        until("the device says so", lambda: next(frames) is not None and says().startswith(("changes all", "too slow")))
