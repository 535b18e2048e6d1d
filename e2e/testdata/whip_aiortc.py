"""Publishes orange pictures with aiortc: whip_aiortc.py URL [CODEC]. Runs until it is killed; prints what went wrong."""
import asyncio
import sys
import urllib.error
import urllib.request

import av
import numpy
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack

picture = numpy.zeros((240, 320, 3), numpy.uint8)
picture[:] = (255, 128, 0)


class Orange(VideoStreamTrack):
    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


def post(url, offer):
    request = urllib.request.Request(url, offer.encode(), {"Content-Type": "application/sdp", "User-Agent": "aiortc"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read().decode()
    except urllib.error.HTTPError as e:
        sys.exit(f"{e.code} {e.read().decode()}")


async def publish(url, codec=None):
    pc = RTCPeerConnection()
    transceiver = pc.addTransceiver(Orange(), direction="sendonly")
    if codec:
        known = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([c for c in known if c.mimeType == codec])
    ended = asyncio.Event()
    pc.on("connectionstatechange", lambda: pc.connectionState in ("closed", "failed") and ended.set())
    await pc.setLocalDescription(await pc.createOffer())
    answer = await asyncio.to_thread(post, url, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    print("begins", flush=True)
    await ended.wait()
    print("ended", flush=True)


asyncio.run(publish(*sys.argv[1:]))
