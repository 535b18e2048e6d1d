"""Two readers of one camera: a fast one, and one that needs half a second for each frame."""
import asyncio

import waldo


async def read(name, subscription, seconds):
    while True:
        frame = await subscription.get()
        print(f"{name}: frame {frame.sequence}, {1000 * frame.age:.0f} ms old")
        await asyncio.sleep(seconds)


async def main():
    camera = waldo.Robot().camera("front")
    await asyncio.gather(read("fast", camera.subscribe(), 0), read("slow", camera.subscribe(), 0.5))


asyncio.run(main())
