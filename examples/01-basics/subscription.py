"""Awaits each frame of a camera, with asyncio."""
import asyncio

import waldo


async def main():
    subscription = waldo.Robot().camera("front").subscribe()
    while True:
        frame = await subscription.get()
        print(f"awaited frame {frame.sequence}")


asyncio.run(main())
