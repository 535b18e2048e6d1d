"""An event loop, a sensor that blocks, and an output that blocks, in one program."""
import asyncio
import random
import time

import waldo


def sensor():
    while True:
        time.sleep(0.5)  # blocks a thread, and not the loop
        yield random.random()


def output(values):
    for value in values:
        time.sleep(0.5)  # likewise; of what comes meanwhile it gets the newest
        print(f"the output is set to {value:.2f}")


async def ticks():
    while True:
        started = time.monotonic()
        await asyncio.sleep(0.1)
        late = time.monotonic() - started - 0.1
        print(f"tick, {1000 * late:.0f} ms late")


async def main():
    readings, setting = waldo.threaded(sensor), waldo.threaded(output)
    ticking = asyncio.create_task(ticks())
    async for value in readings:
        setting.put_nowait(value)
    await ticking


asyncio.run(main())
