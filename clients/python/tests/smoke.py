"""What scripts/test-python-versions runs with each Python and each set of packages: reads a camera, hears a board and
drives it, by bus and without, in loops of both kinds. Prints the versions."""

from __future__ import annotations

import asyncio
import platform
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import waldo
from tests.live import Place, until


async def read(camera: waldo.Camera[waldo.Frame], n: int) -> list[int]:
    sequences = []
    async for frame in camera:
        sequences.append(frame.sequence)
        if len(sequences) == n:
            break
    return sequences


def use(place: Place) -> None:
    with place.robot() as robot:
        frames = [frame for frame, _ in zip(robot.camera("front", width=320), range(5))]
        assert all(frame.shape == (240, 320, 3) for frame in frames)
        first = frames[0]
        assert [f.sequence - first.sequence - (f.dropped - first.dropped) for f in frames] == list(range(5))
        packet = next(iter(robot.camera("front", format="jpeg")))
        assert packet.startswith(b"\xff\xd8")
        with robot.drive("motors") as d:
            d.send(left=1, right=1)
            d.estop("smoke test")
            try:
                d.send(left=1, right=1)
                raise AssertionError("an e-stop is latched, and the rover drives")
            except waldo.CommandRefused as e:
                assert e.verdict == "E_STOPPED"
        address = robot.device("front").grpc_address
        with robot.bus.hold("rover", "front", "video") as hold:
            until("the stream is held", lambda: hold.epoch)
    with place.robot(address) as robot:
        assert len(asyncio.run(read(robot.camera("front"), 3))) == 3


def main() -> None:
    warnings.simplefilter("error", UserWarning)  # protobuf warns so of code that is too old for it
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        try:
            place.bus()
            place.device("camera", "front", "--width", "640", "--height", "480")
            place.device(
                "serial", "motors", "--port", "sim", "--write", "<hh", "--write-keys", "left,right",
                "--control", "{safe: {left: 0, right: 0}}",
            )  # fmt: skip
            use(place)
        finally:
            place.close()
    packages = " ".join(f"{name} {version(name)}" for name in ("grpcio", "protobuf", "numpy", "nats-py"))
    print(f"works on Python {platform.python_version()} with {packages}")


if __name__ == "__main__":
    main()
