"""No test leaves a thread behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 20
    while left := [t for t in threading.enumerate() if t not in before and t.name.startswith("waldo")]:
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.005)
