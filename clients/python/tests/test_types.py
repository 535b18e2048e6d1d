"""What type checkers know of the package: not run, only checked by mypy, which fails if a type is another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import waldo

if TYPE_CHECKING:
    from typing_extensions import assert_type

    async def what_loops_give(robot: waldo.Robot) -> None:
        for frame in robot.camera("front", width=320):
            assert_type(frame, waldo.Frame)
        async for packet in robot.camera("front", format="jpeg"):
            assert_type(packet, waldo.Packet)
        for samples in robot.audio("voice", rate=48000):
            assert_type(samples, waldo.Samples)
        for opus in robot.audio("voice", format="opus"):
            assert_type(opus, waldo.OpusPacket)
        for message in robot.serial("motors"):
            assert_type(message, waldo.BoardMessage)
        for report in robot.input("pad"):
            assert_type(report, waldo.InputReport)
        for result in robot.results("front", "faces"):
            assert_type(result, waldo.Result)

    async def what_else_gives(robot: waldo.Robot, format: str) -> None:
        camera = robot.camera("front")
        assert_type(camera.latest(), waldo.Frame | None)
        assert_type(camera.snapshot(), waldo.Frame)
        assert_type(camera.subscribe(), waldo.Subscription[waldo.Frame])
        assert_type(await camera.get(), waldo.Frame)
        assert_type(robot.camera("front", format=format), waldo.Camera[Any])
        assert_type(robot.work("front", "faces", len), waldo.Worker)
        with robot.drive("motors") as drive:
            assert_type(drive, waldo.Drive)


def test_generic_classes_can_be_named() -> None:
    assert str(waldo.Camera[waldo.Frame]) != str(waldo.Audio[waldo.Samples])
