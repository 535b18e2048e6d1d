"""Boards, inputs and sound, with real programs."""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
import tty

import numpy as np
import pytest

import waldo
from tests.live import SOON, Heard, Place, until


class Pty:
    """A serial port whose other end is the test."""

    def __init__(self) -> None:
        self.board, port = os.openpty()
        tty.setraw(port)
        self.path, self._port = os.ttyname(port), port

    def close(self) -> None:
        os.close(self.board)
        os.close(self._port)

    def reads(self, n: int) -> bytes:
        got = b""
        while len(got) < n:
            assert select.select([self.board], [], [], SOON)[0], f"only {got!r} was written"
            got += os.read(self.board, n - len(got))
        return got


@pytest.fixture
def pty() -> Pty:
    return Pty()


def test_what_a_board_sends(rover: Place) -> None:
    with rover.robot() as robot:
        epoch = robot.device("motors").epoch
        messages = [m for m, _ in zip(robot.serial("motors"), range(3))]
    for m in messages:
        assert set(m.value) == {"uptime", "left", "right", "x", "y", "heading", "battery", "flags"}
        assert isinstance(m["battery"], int)
        assert m.epoch == epoch
        assert m.age >= 0
    first = messages[0]
    assert [m.sequence - first.sequence - (m.dropped - first.dropped) for m in messages] == [0, 1, 2]


@pytest.mark.parametrize(
    ("settings", "sent", "value"),
    [
        (["--read", "line"], b"hello\n", "hello"),
        (["--read", "<Bh"], b"\x07\xff\xff", [7, -1]),
        (["--read", "<Bh", "--read-keys", "a,b"], b"\x07\xff\xff", {"a": 7, "b": -1}),
        (["--read", "nmea"], b"$PXYZ,7,x*44\r\n", {"talker": "P", "type": "XYZ", "fields": ["7", "x"]}),
    ],
)
def test_formats(place: Place, pty: Pty, settings: list[str], sent: bytes, value: object) -> None:
    place.bus()
    place.device("serial", "board", "--port", pty.path, *settings).says("ready")
    with place.robot() as robot, robot.serial("board").messages() as messages:
        stop = threading.Event()

        def send() -> None:
            while not stop.wait(0.05):
                os.write(pty.board, sent)

        sending = threading.Thread(target=send)
        sending.start()
        try:
            assert messages.take(SOON).value == value
        finally:
            stop.set()
            sending.join()


@pytest.mark.parametrize(
    ("write", "value", "written"),
    [
        ("line", "hello", b"hello\n"),
        ("line", {"a": 1}, b'{"a":1}\n'),
        ("<Bh", [7, -1], b"\x07\xff\xff"),
        ("<Bh", (np.uint8(7), np.int64(-1)), b"\x07\xff\xff"),
        ("<Bh", b"\x01\x02\x03", b"\x01\x02\x03"),
        ("<2sB", [b"\xff\x00", 1], b"\xff\x00\x01"),
    ],
)
def test_what_is_written(place: Place, pty: Pty, write: str, value: object, written: bytes) -> None:
    place.bus()
    place.device("serial", "board", "--port", pty.path, "--read", "line", "--write", write).says("ready")
    with place.robot() as robot:
        robot.serial("board").send(value)
        assert pty.reads(len(written)) == written


@pytest.mark.parametrize("value", [{"a": object()}, [float("nan")], {"a": {1, 2}}])
def test_what_cannot_be_written(rover: Place, value: object) -> None:
    with rover.robot() as robot, pytest.raises(waldo.InvalidRequest, match="cannot be written"):
        robot.serial("motors").send(value)


def test_an_actuator_is_not_written_to_without_a_lease(rover: Place) -> None:
    with rover.robot() as robot, pytest.raises(waldo.Refused, match="lease"):
        robot.serial("motors").send({"left": 1, "right": 1})


def test_a_slow_loop_over_messages_gets_recent_ones_and_is_told_what_it_lost(rover: Place) -> None:
    with rover.robot() as robot:
        board = robot.serial("motors")
        slow, fast = board.messages(), board.messages()
        first = slow.take()
        seen = fast.take()
        while seen.sequence < first.sequence + 100:
            seen = fast.take()
        m, taken = slow.take(), 1
        assert m.dropped - first.dropped == m.sequence - first.sequence - taken > 0
        board.close()


def test_a_board_that_crashes_is_back(rover: Place) -> None:
    with rover.robot() as robot, robot.serial("motors").messages() as messages:
        heard = Heard(robot)
        first = messages.take()
        rover.crash(robot, "motors")
        while messages.take().epoch == first.epoch:
            pass
        heard.wait("motors", "lost")


def test_the_microphone(rover: Place) -> None:
    with rover.robot() as robot:
        pieces = [piece for piece, _ in zip(robot.audio("voice", rate=16000, channels=1), range(3))]
        for piece in pieces:
            assert (str(piece.dtype), piece.ndim, piece.shape[1], piece.rate) == ("float32", 2, 1, 16000)
            assert piece.epoch == robot.device("voice").epoch
        lost = pieces[1].dropped - pieces[0].dropped
        assert pieces[1].sample_index == pieces[0].sample_index + (1 + lost) * len(pieces[0])
        said = robot.audio("voice", rate=8000, format="s16").record(0.5)
        assert (len(said), said.dtype.name) == (4000, "int16")
        assert np.abs(said).max() > 1000, "the microphone hears a tone"
        assert isinstance(next(iter(robot.audio("voice", format="opus"))), waldo.OpusPacket)


def test_the_speaker(rover: Place) -> None:
    tone = 0.1 * np.sin(np.arange(16000) / 16000 * 440 * 2 * np.pi)
    with rover.robot() as robot:
        voice = robot.audio("voice")
        assert voice.play(tone[:4000], rate=16000) == pytest.approx(0.25, abs=0.03)
        assert voice.play((np.int16(32767 * tone[i : i + 800]) for i in range(0, 4000, 800)), rate=16000) > 0.2


def test_sound_that_is_none(rover: Place) -> None:
    def failing() -> object:
        yield np.zeros(100, np.float32)
        raise RuntimeError("the generator failed")

    with rover.robot() as robot:
        voice = robot.audio("voice")
        for sound, text in [
            (np.zeros((10, 3), np.float32), "shape"),
            (np.zeros(10, np.int64), "type int64"),
            (np.zeros((1, 2, 3)), "shape"),
        ]:
            with pytest.raises(waldo.InvalidRequest, match=text):
                voice.play(sound)
        with pytest.raises(waldo.InvalidRequest, match="rate: 1 "):
            voice.play(np.zeros(10), rate=1)
        with pytest.raises(RuntimeError, match="the generator failed"):
            voice.play(failing())
        with pytest.raises(waldo.InvalidRequest, match="'mp3' is not one of"):
            robot.audio("voice", format="mp3")
        with pytest.raises(waldo.InvalidRequest, match="tap"):
            robot.audio("voice", tap="roof")
        with pytest.raises(waldo.InvalidRequest, match="record"):
            robot.audio("voice", format="opus").record(1)


def test_an_input_device(rover: Place) -> None:
    async def main() -> list[waldo.InputReport]:
        reports = []
        async for report in robot.input("pad"):
            reports.append(report)
            if len(reports) == 5:
                break
        return reports

    with rover.robot() as robot:
        reports = asyncio.run(main())
        assert reports[0].resync
        assert not reports[0].events
        assert "ABS_X" in reports[0].state
        state = {k: v for k, v in reports[0].state.items() if k.startswith("ABS")}
        for before, report in zip(reports, reports[1:]):
            if report.resync:  # this machine is so busy that the loop was too slow
                state = {k: v for k, v in report.state.items() if k.startswith("ABS")}
                continue
            assert report.sequence == before.sequence + 1
            for event in report.events:
                if event.kind == "absolute":
                    state[event.name] = event.value
            assert {k: v for k, v in report.state.items() if k.startswith("ABS")} == state
        assert reports[-1].event_time <= time.time()
        assert all(0 <= report.age < 60 for report in reports)
        until("the axes", lambda: "ABS_X" in robot.input("pad").state())
