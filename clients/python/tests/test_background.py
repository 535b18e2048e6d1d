"""Functions that run in threads and in processes: every case for both, and what only processes do."""

from __future__ import annotations

import asyncio
import functools
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import waldo
from tests import functions
from waldo.background import Background, ProcessDied
from waldo.frame import Frame, Info

#: How long to wait for what happens at once unless something is broken.
SOON = 60.0

Run = Callable[..., Background]
both = pytest.mark.parametrize("run", [waldo.threaded, waldo.process])
every = functools.partial(waldo.QueueSubscription, 100)


def gone(pid: int) -> bool:
    """Waits until a process has ended."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


@both
def test_a_producer(run: Run) -> None:
    """RTCBot's test of ThreadedProducer."""
    producer = run(functions.count, outputs=every)
    producer.onReady().take(SOON)
    one, two = producer.subscribe(), producer.subscribe()
    first = one.take(SOON)
    assert [one.take(SOON) for _ in range(3)] == [first + 1, first + 2, first + 3]
    assert two.take(SOON) in (first, first + 1)
    assert producer.ready and not producer.closed
    producer.close().take(SOON)
    assert not producer.ready and producer.closed and producer.error is None
    for worker in producer._workers:
        worker.join(SOON)
        assert not worker.is_alive()


@both
def test_a_consumer(run: Run) -> None:
    """RTCBot's test of ThreadedConsumer."""
    consumer = run(functions.double, inputs=every, outputs=every)
    made = consumer.subscribe()
    consumer.put_nowait(1)
    assert made.take(SOON) == 2 and consumer.ready
    source: waldo.QueueSubscription[int] = waldo.QueueSubscription()
    consumer.putSubscription(source)
    source.put_nowait(2)
    assert made.take(SOON) == 4 and consumer.subscription is source
    with pytest.raises(TimeoutError):
        made.take(0.2)  # survives a while without data
    for i in range(3, 10):
        consumer.put_nowait(i)
    assert [made.take(SOON) for _ in range(3, 10)] == [2 * i for i in range(3, 10)]
    consumer.close().take(SOON)
    assert not consumer.ready
    with pytest.raises(waldo.SubscriptionClosed):
        consumer.put_nowait(1)
    with pytest.raises(waldo.SubscriptionClosed):
        made.take(SOON)


@both
def test_a_chain_on_an_event_loop(run: Run) -> None:
    async def main() -> None:
        async with waldo.threaded(functions.count) as source, run(functions.double) as doubled:
            doubled.putSubscription(source)
            seen = [await asyncio.wait_for(doubled.get(), SOON) for _ in range(3)]
            assert all(x % 2 == 0 for x in seen) and seen == sorted(seen)
        assert source.closed and doubled.closed
        await source

    asyncio.run(main())


@both
@pytest.mark.parametrize("function", [functions.three, functions.first])
def test_a_function_that_returns(run: Run, function: Callable[..., Any]) -> None:
    background = run(function, outputs=every)
    made = background.subscribe()
    if function is functions.first:
        background.put_nowait(0)
    background.onClose().take(SOON)
    assert list(made) in ([0], [0, 1, 2], [1, 2], [2], [])  # it may be faster than we subscribe
    assert background.error is None and not background.ready
    with pytest.raises(waldo.SubscriptionClosed):
        background.onError().take(SOON)


@both
def test_a_function_that_raises(run: Run) -> None:
    background = run(functions.fail)
    told: waldo.QueueSubscription[BaseException] = waldo.QueueSubscription()
    background.onError(told.put_nowait)
    assert isinstance(told.take(SOON), KeyError)
    background.onClose().take(SOON)
    with pytest.raises(waldo.SubscriptionClosed) as end:
        background.subscribe().take(SOON)
    assert isinstance(end.value.__cause__, KeyError)
    if run is waldo.process:
        assert "functions.py" in str(background.error.__cause__ if background.error else "")
        assert background.restarts == 0


@both
@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda one, two: None, "needs one, two: it can take only the inputs"),
        (asyncio.sleep, "is async"),
        (5, "cannot be run"),
    ],
)
def test_what_cannot_be_run(run: Run, function: Any, match: str) -> None:
    with pytest.raises(TypeError, match=match):
        run(function)


@both
def test_a_producer_takes_no_inputs(run: Run) -> None:
    with run(functions.count) as producer:
        with pytest.raises(TypeError, match="count takes no inputs"):
            producer.put_nowait(1)
        with pytest.raises(TypeError, match="count takes no inputs"):
            producer.putSubscription(waldo.QueueSubscription())


@both
def test_a_generator_cleans_up(run: Run, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "said"
    background = run(functools.partial(functions.clean_up, str(path)))
    background.onReady().take(SOON)
    background.close().take(SOON)
    assert path.read_text() == "cleaned up"


@both
def test_a_slow_function_gets_the_newest(run: Run) -> None:
    """RTCBot's queues between processes grow without a bound."""
    slow = run(functions.double, outputs=every)
    slow.onReady().take(SOON)
    made = slow.subscribe()
    for i in range(5000):
        slow.put_nowait(i)
    got = [made.take(SOON)]
    while got[-1] != 2 * 4999:
        got.append(made.take(SOON))
    assert got == sorted(got) and len(got) + slow.lost == 5000
    slow.close()


def test_a_thread_that_hangs_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        go_on.wait(60)

    background = waldo.threaded(hang)
    made = background.subscribe()
    assert entered.wait(SOON)
    ended = background.close()
    with pytest.raises(waldo.SubscriptionClosed):
        made.take(0)
    assert "hang has not ended within" in caplog.text
    go_on.set()
    ended.take(SOON)


@pytest.mark.parametrize("function", [functions.hang, functions.hang_quietly])
def test_a_process_that_hangs_is_killed(function: Callable[..., Any]) -> None:
    background = waldo.process(function)
    pid = background.take(SOON)
    if function is functions.hang_quietly:
        for _ in range(3):
            background.put_nowait(np.zeros(1 << 20))  # nobody reads it
    background.close().take(SOON)
    assert gone(pid)


def test_a_process_that_dies_is_started_again() -> None:
    background = waldo.process(functions.pids)
    made = background.subscribe()
    pid = made.take(SOON)
    assert pid != os.getpid()
    os.kill(pid, signal.SIGKILL)
    while (now := made.take(SOON)) == pid:
        pass
    assert background.restarts == 1 and not background.closed and background.error is None
    background.onReady().take(SOON)
    background.close().take(SOON)
    assert gone(now)


def test_a_process_that_died_goes_on_with_its_inputs() -> None:
    background = waldo.process(functions.answer_and_die, inputs=every, outputs=every)
    made = background.subscribe()
    for x in ["a", "die", "b", "die", "c"]:
        background.put_nowait(x)
    assert [made.take(SOON) for _ in range(3)] == ["a", "b", "c"]
    assert background.restarts == 2
    background.close()


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (functions.pids, "the process of pids died with signal 9$"),
        (functions.Unloadable(), "Unloadable cannot be loaded in another process(.|\n)*not here"),
        (functions.Deadly(), "the process of Deadly died with status 3 before it could begin"),
        (functions.unpicklable, "cannot pickle"),
        (functions.fail_strangely, "stubborn"),
    ],
)
def test_how_a_process_fails(function: Callable[..., Any], match: str) -> None:
    background = waldo.process(function, restart=function is not functions.pids)
    if function is functions.pids:
        os.kill(background.take(SOON), signal.SIGKILL)
    with pytest.raises(Exception, match=match):
        raise background.onError().take(SOON)
    background.onClose().take(SOON)
    assert background.restarts == 0
    assert isinstance(background.error, ProcessDied) == ("died" in match)


def test_a_function_that_is_nowhere_to_be_found() -> None:
    with pytest.raises(TypeError, match="Define it at the top level of a module"):
        waldo.process(lambda: iter([1]))


def test_pictures_cross_unchanged() -> None:
    with waldo.process(functions.double, inputs=every, outputs=every) as background:
        made = background.subscribe()
        picture = Frame(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), Info(sequence=7))
        background.put_nowait(picture)
        background.put_nowait(picture[:, ::2])  # not contiguous
        for sent in [picture, picture[:, ::2]]:
            got = made.take(SOON)
            np.testing.assert_array_equal(got, np.asarray(sent) * 2)
            assert got.sequence == 7
            got[0] = 0  # writable


def test_an_input_that_cannot_be_pickled_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with waldo.process(functions.double, inputs=every, outputs=every) as background:
        made = background.subscribe()
        background.put_nowait(threading.Lock())
        background.put_nowait(1)
        assert made.take(SOON) == 2
    assert "cannot be pickled" in caplog.text


SCRIPT = """
import os, signal, sys, time
import waldo
from tests import functions

if __name__ == "__main__" or "unguarded" in sys.argv:
    background = waldo.process(functions.hang)
    print(os.getpid(), background.take(60), flush=True)
    time.sleep(60)
"""


def run_script(tmp_path: pathlib.Path, text: str, *arguments: str) -> subprocess.Popen[str]:
    path = tmp_path / "script.py"
    path.write_text(text)
    return subprocess.Popen(
        [sys.executable, str(path), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job of a shell without job control is started with SIGINT ignored, and Python leaves it so.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )


@pytest.fixture
def script(tmp_path: pathlib.Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(text: str, *arguments: str) -> subprocess.Popen[str]:
        started.append(run_script(tmp_path, text, *arguments))
        return started[-1]

    yield start
    for p in started:
        p.kill()
        p.communicate()


Script = Callable[..., "subprocess.Popen[str]"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_process_ends_with_its_parent(script: Script, end: signal.Signals) -> None:
    parent = script(SCRIPT)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline().split()[1])
    parent.send_signal(end)
    parent.wait(SOON)
    assert gone(pid)


def test_a_program_without_a_guard_is_told(script: Script) -> None:
    parent = script(SCRIPT, "unguarded")
    _, errors = parent.communicate(timeout=SOON)
    assert parent.returncode == 1
    assert 'below if __name__ == "__main__"' in errors


def test_what_runs_is_closed_when_the_program_ends(script: Script, tmp_path: pathlib.Path) -> None:
    parent = script(
        """
import functools
import waldo
from tests import functions

if __name__ == "__main__":
    for run in (waldo.threaded, waldo.process):
        background = run(functools.partial(functions.clean_up, %r + run.__name__))
        background.onReady().take(60)
"""
        % str(tmp_path / "said-")
    )
    _, errors = parent.communicate(timeout=SOON)
    assert (parent.returncode, errors) == (0, "")
    assert [(tmp_path / f"said-{how}").read_text() for how in ("threaded", "process")] == ["cleaned up"] * 2
