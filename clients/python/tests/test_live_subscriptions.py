"""Subscriptions to the devices of a robot that runs."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import waldo
from tests import functions
from tests.live import SOON, Place, until


def test_sound_in_blocks_of_a_codec(rover: Place) -> None:
    with rover.robot() as robot:
        blocks: waldo.RebatchSubscription = robot.audio("voice").subscribe(waldo.RebatchSubscription(1024))
        got = [blocks.take(SOON) for _ in range(3)]
        assert [len(block) for block in got] == [1024] * 3
        assert all(np.any(block) for block in got), "it is a tone"


@pytest.mark.parametrize("run", [waldo.threaded, waldo.process])
def test_pictures_through_a_function(rover: Place, run: Any) -> None:
    with rover.robot() as robot, run(functions.upside_down) as flipped:
        flipped.putSubscription(robot.camera("front"))
        made = flipped.subscribe()
        first, second = made.take(SOON), made.take(SOON)
        assert first.shape == (240, 320, 3) and first.sequence < second.sequence and second.age < SOON


def test_pictures_on_an_event_loop(rover: Place) -> None:
    async def main() -> None:
        with rover.robot() as robot:
            camera, seen = robot.camera("front"), asyncio.Queue[int]()

            async def see(frame: waldo.Frame) -> None:
                await asyncio.sleep(0.01)
                seen.put_nowait(frame.sequence)

            camera.subscribe(see)
            delayed: waldo.DelayedSubscription[Any] = waldo.DelayedSubscription(camera)
            numbers = [await asyncio.wait_for(seen.get(), SOON) for _ in range(3)]
            assert numbers == sorted(numbers)
            assert (await asyncio.wait_for(delayed.get(), SOON)).sequence > numbers[0]
            camera.unsubscribe(see)
            camera.unsubscribe(delayed)
            await asyncio.to_thread(until, "nobody reads", lambda: camera.state == "idle")

    asyncio.run(main())


def test_subscriptions_outlive_the_device(rover: Place) -> None:
    with rover.robot() as robot:
        newest = robot.camera("front").subscribe()
        epoch = newest.take(SOON).epoch
        rover.crash(robot, "front")
        until("pictures of the next life", lambda: newest.take(SOON).epoch != epoch)
        robot.close()
        with pytest.raises(waldo.SubscriptionClosed):
            while True:
                newest.take(SOON)
