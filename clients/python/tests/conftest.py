"""No test leaves a thread behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import Place

# The board of the simulated rover.
MOTORS = (
    'read: "<IhhiihHB", readKeys: [uptime, left, right, x, y, heading, battery, flags], startByte: 0x5A, '
    'checksum: crc8, write: "<hh", writeKeys: [left, right], writeStartByte: 0xA5, writeChecksum: crc8, '
    "control: {safe: {left: 0, right: 0}}"
)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 20
    while left := [t for t in threading.enumerate() if t not in before and t.name.startswith("waldo")]:
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.005)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Where a test runs programs."""
    found = Place(tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="session")
def rover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A robot that all tests share, which do not change it for long."""
    found = Place(tmp_path_factory.mktemp("rover"))
    found.up(
        f"""front: {{kind: camera, source: test, width: 320, height: 240, fps: 30}}
        motors: {{kind: serial, port: sim, {MOTORS}}}
        voice: {{kind: audio, source: tone}}
        pad: {{kind: input, source: sim}}"""
    )
    yield found
    found.close()
