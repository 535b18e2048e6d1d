"""What is reported of a stream that nobody offers."""

from __future__ import annotations

import logging

import pytest

from waldo.errors import NotFound, Unavailable, WaldoError
from waldo.holds import Missing


@pytest.mark.parametrize(
    ("steps", "warnings"),
    [
        ([(Unavailable("away"), 0), (Unavailable("away"), 4)], 0),
        ([(Unavailable("away"), 0), (Unavailable("away"), 5), (Unavailable("away"), 6)], 1),
        ([(Unavailable("away"), 0), None, (Unavailable("away"), 5)], 0),
        ([(NotFound("no such stream"), 0), (NotFound("no such stream"), 1)], 1),
        ([(NotFound("no such stream"), 0), None, (NotFound("no such stream"), 1)], 2),
    ],
)
def test_what_may_never_come_is_a_warning_once(
    steps: list[tuple[WaldoError, float] | None], warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="waldo")
    missing = Missing("the stream video-jpeg of nope")
    for step in steps:
        if step is None:
            missing.found()
        else:
            missing.report(*step)
    assert [r.levelname for r in caplog.records].count("WARNING") == warnings
    assert all("video-jpeg of nope" in r.getMessage() for r in caplog.records)
