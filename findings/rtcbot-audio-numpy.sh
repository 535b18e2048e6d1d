#!/bin/bash
# RTCBot's Python side receives no audio with today's numpy, and its program is not told.
#
# rtcbot 0.2.5, aiortc 1.16.0 and numpy 2.3.4 from PyPI, Python 3.11. Two RTCConnections in one process: one sends a
# tone, the other subscribes to audio. AudioReceiver uses numpy.float, which numpy 1.24 has removed, so its task ends
# with the first block of sound; the connection stays up. With `numpy.float = float` the same program hears the tone.
#
# Seen:  as it is: silence; with numpy.float = float: heard
#
# So docs/from-rtcbot.md names that line, and Waldo's tests with RTCBot have it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
/usr/bin/python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rtcbot==0.2.5 aiortc==1.16.0 numpy==2.3.4

cat > hear.py <<'PYTHON'
"""Two connections in one process: one sends a tone, the other subscribes to audio. Prints whether it hears."""
import asyncio
import os
import sys

import numpy

if "mend" in sys.argv:
    numpy.float = float
from aiortc import RTCConfiguration  # noqa: E402
from rtcbot import RTCConnection  # noqa: E402


async def main():
    robot, client = (RTCConnection(rtcConfiguration=RTCConfiguration([])) for _ in range(2))
    heard, ready = asyncio.Event(), asyncio.Event()
    client.audio.subscribe(lambda block: heard.set())
    client.onReady(lambda: ready.set())
    robot.audio.addTrack()
    answer = await robot.getLocalDescription(await client.getLocalDescription())
    await client.setRemoteDescription(answer)
    await asyncio.wait_for(ready.wait(), 20)
    tone = (0.3 * numpy.sin(2 * numpy.pi * 500 * numpy.arange(960) / 48000)).reshape(-1, 1)
    for _ in range(400):
        robot.audio.put_nowait(tone)
        await asyncio.sleep(0.02)
        if heard.is_set():
            break
    print("heard" if heard.is_set() else "silence", flush=True)
    os._exit(0)  # whatever RTCBot's threads wait for


asyncio.run(main())
PYTHON

plain=$(venv/bin/python hear.py 2> plain.err)
mended=$(venv/bin/python hear.py mend 2> mended.err)
echo "as it is: $plain; with numpy.float = float: $mended"
grep -m1 "has no attribute 'float'" plain.err || true
if [ "$plain" != silence ] || [ "$mended" != heard ]; then
  echo "this has changed"
  exit 1
fi
