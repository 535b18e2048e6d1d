"""Pictures in shared memory."""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.live import Heard, Place
from waldo import shared
from waldo.camera.v1 import camera_service_pb2

pytestmark = pytest.mark.skipif(not shared.POSSIBLE, reason="memory is shared on Linux only")

EPOCH = 77
SLOT, SLOTS = 8192, 3
LENGTH = SLOT * SLOTS


class Device:
    """Shares memory as a device does."""

    def __init__(self, name: str = f"waldo-{EPOCH}", sealed: bool = True) -> None:
        self.fd = os.memfd_create(name, os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, LENGTH)
        if sealed:
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        self.memory = mmap.mmap(self.fd, LENGTH)
        self.versions = [0] * SLOTS

    def begin(self, slot: int) -> None:
        self._set(slot, self.versions[slot] + 1)

    def write(self, slot: int, data: bytes) -> camera_service_pb2.SharedPicture:
        self.begin(slot)
        at = slot * SLOT + 64
        self.memory[at : at + len(data)] = data
        self.versions[slot] += 2
        self._set(slot, self.versions[slot])
        return camera_service_pb2.SharedPicture(
            path=f"/proc/{os.getpid()}/fd/{self.fd}", length=LENGTH, version_offset=slot * SLOT,
            version=self.versions[slot], data_offset=at, data_length=len(data),
        )

    def _set(self, slot: int, version: int) -> None:
        self.memory[slot * SLOT : slot * SLOT + 8] = version.to_bytes(8, "little")

    def close(self) -> None:
        self.memory.close()
        os.close(self.fd)


@pytest.fixture
def device() -> Iterator[Device]:
    made = Device()
    yield made
    made.close()


def test_a_picture_is_there_until_its_slot_is_used_again(device: Device) -> None:
    memory = shared.Memory()
    first, second = (memory.find(EPOCH, device.write(slot, bytes([slot]) * 1000)) for slot in (0, 1))
    for place, value in ((first, 0), (second, 1)):
        data = place.copy()
        assert data is not None
        assert data.flags.writeable
        assert data.tolist() == [value] * 1000
    device.begin(0)
    assert first.copy() is None, "it is being written to"
    third = memory.find(EPOCH, device.write(0, b"\7" * 10))
    assert first.copy() is None
    assert second.copy() is not None
    assert third.copy() is not None


def test_a_picture_outlives_what_the_device_does_with_its_memory(device: Device) -> None:
    memory = shared.Memory()
    place = memory.find(EPOCH, device.write(0, b"\7" * 10))
    other = Device()
    memory.find(EPOCH, other.write(0, b"\1"))
    other.close()
    assert place.copy() is not None


def _change(**fields: Any) -> Callable[[camera_service_pb2.SharedPicture], None]:
    def change(picture: camera_service_pb2.SharedPicture) -> None:
        for name, value in fields.items():
            setattr(picture, name, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _change(path="/etc/passwd"),
        _change(path="/proc/self/fd/1"),
        _change(path="/proc/1/fd/1/../../mem"),
        _change(path=f"/proc/{os.getpid()}/fd/0"),
        _change(path="/proc/1/fd/987654"),
        _change(path="/proc/1/fd/3\n"),
        _change(length=LENGTH - 4096),
        _change(length=LENGTH * 2),
        _change(length=1 << 62),
        _change(length=0),
        _change(version_offset=-8),
        _change(version_offset=LENGTH),
        _change(version_offset=4),
        _change(version=3),
        _change(version=0),
        _change(data_offset=-1),
        _change(data_offset=LENGTH),
        _change(data_length=LENGTH + 1),
        _change(data_length=(1 << 63) - 1),
        _change(data_length=-1),
    ],
)
def test_what_cannot_be_is_refused(device: Device, change: Callable[[Any], None]) -> None:
    picture = device.write(0, b"\7" * 10)
    change(picture)
    with pytest.raises(shared.NotShared):
        shared.Memory().find(EPOCH, picture)


@pytest.mark.parametrize(("name", "sealed"), [("waldo-78", True), ("x", True), (f"waldo-{EPOCH}", False)])
def test_memory_of_others_is_refused(name: str, sealed: bool) -> None:
    other = Device(name, sealed=sealed)
    with pytest.raises(shared.NotShared):
        shared.Memory().find(EPOCH, other.write(0, b"\7"))
    other.close()


def test_no_picture_is_torn(device: Device) -> None:
    """A writer that never waits, in another process: its pictures are all of one byte."""
    script = (
        "import mmap,sys\n"
        f"m = mmap.mmap({device.fd}, {LENGTH})\n"
        "v = 0\n"
        "while True:\n"
        f"  for s in range({SLOTS}):\n"
        f"    m[s*{SLOT}:s*{SLOT}+8] = (v+1).to_bytes(8, 'little')\n"
        f"    m[s*{SLOT}+64:(s+1)*{SLOT}] = bytes([v//2%251])*({SLOT}-64)\n"
        f"    m[s*{SLOT}:s*{SLOT}+8] = (v+2).to_bytes(8, 'little')\n"
        "  v += 2\n"
    )
    os.set_inheritable(device.fd, True)
    writer = subprocess.Popen([sys.executable, "-c", script], pass_fds=[device.fd])
    try:
        memory, whole = shared.Memory(), 0
        picture = device.write(0, b"\0" * (SLOT - 64))
        deadline = time.monotonic() + 60
        while whole < 200 and time.monotonic() < deadline:
            version = int.from_bytes(device.memory[0:8], "little")
            if version == 0 or version % 2:
                continue
            picture.version = version
            data = memory.find(EPOCH, picture).copy()
            if data is not None:
                assert np.all(data == (version // 2 - 1) % 251)
                whole += 1
        assert whole == 200
    finally:
        writer.kill()
        writer.wait()


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Grows with every copy out of shared memory, by whether it was good."""
    made: list[bool] = []
    copy = shared.Place.copy

    def counted(place: shared.Place) -> Any:
        data = copy(place)
        made.append(data is not None)
        return data

    monkeypatch.setattr(shared.Place, "copy", counted)
    return made


@pytest.mark.parametrize("format", ["bgr", "i420", "yuyv"])
def test_raw_pictures_of_this_machine_are_shared(rover: Place, copies: list[bool], format: str) -> None:
    with rover.robot() as robot:
        frames = [frame for frame, _ in zip(robot.camera("front", format=format), range(5))]
        inside = next(iter(robot.camera("front", format=format, shared_memory=False)))
    assert copies.count(True) >= 5
    assert {frame.shape for frame in frames} == {inside.shape}
    assert frames[0].std() > 10
    assert frames[0].flags.writeable
    assert [f.sequence for f in frames] == sorted({f.sequence for f in frames})


def test_encoded_pictures_are_not_shared(rover: Place, copies: list[bool]) -> None:
    with rover.robot() as robot:
        next(iter(robot.camera("front", format="jpeg")))
    assert copies == []


def test_memory_that_cannot_be_opened_costs_nothing_else(
    rover: Place, copies: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Any:
        raise shared.NotShared("permission denied")

    monkeypatch.setattr(shared, "_map", refuse)
    with rover.robot() as robot:
        heard = Heard(robot)
        camera = robot.camera("front")
        frames = [frame for frame, _ in zip(camera, range(5))]
        assert frames[-1].std() > 10
        again = next(iter(camera))
        assert again.std() > 10
    assert copies == []
    assert [e for e in heard.events if e.kind in ("lost", "failed")] == []


def test_sharing_goes_on_after_a_crash(place: Place, copies: list[bool]) -> None:
    place.bus()
    camera = place.device("camera", "front", "--source", "test", "--width", "320", "--height", "240")
    with place.robot() as robot:
        frames = iter(robot.camera("front"))
        before = next(frames)
        camera.kill()
        place.device("camera", "front", "--source", "test", "--width", "320", "--height", "240")
        after = next(frame for frame in frames if frame.epoch != before.epoch)
        copies.clear()
        next(frames)
        assert after.std() > 10
        assert True in copies


def test_a_slow_loop_gets_whole_and_new_pictures(rover: Place) -> None:
    with rover.robot() as robot:
        fast = robot.camera("front")
        reader = threading.Thread(target=lambda: [None for _ in fast])
        reader.start()
        for frame, _ in zip(robot.camera("front"), range(3)):
            time.sleep(0.5)  # 15 pictures, and 8 are in the ring
        assert frame.dropped > 10
        assert frame.std() > 10
        fast.close()
        reader.join()


def test_a_reader_that_was_stopped_goes_on_with_new_pictures(rover: Place) -> None:
    script = (
        "import sys, time, waldo\n"
        "for frame in waldo.Robot(sys.argv[1]).camera('front'):\n"
        "    assert frame.shape == (240, 320, 3) and frame.std() > 10\n"
        "    print(frame.sequence, round(frame.age, 3), flush=True)\n"
    )
    reader = subprocess.Popen([sys.executable, "-c", script, rover.nats], stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    try:
        before = [int(reader.stdout.readline().split()[0]) for _ in range(10)][-1]
        reader.send_signal(signal.SIGSTOP)
        with rover.robot() as robot:  # 30 pictures of another reader of the same ring
            others = [frame.sequence for frame, _ in zip(robot.camera("front"), range(30))]
        reader.send_signal(signal.SIGCONT)
        lines = iter(reader.stdout.readline, "")
        after = next(n for n in (int(line.split()[0]) for line in lines) if n > before + 20)
        assert after >= others[0]
        assert int(next(lines).split()[0]) >= others[-1], "what came meanwhile is not read late"
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()
