"""Plays a WHEP stream with aiortc: whep_aiortc.py URL PICTURES [CODEC]. Prints what it saw as JSON."""
import asyncio
import json
import sys
import urllib.request

from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription


def post(url, offer):
    request = urllib.request.Request(url, offer.encode(), {"Content-Type": "application/sdp"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read().decode()


async def play(url, count, codec=None):
    pc = RTCPeerConnection()
    transceiver = pc.addTransceiver("video", direction="recvonly")
    if codec:
        known = RTCRtpReceiver.getCapabilities("video").codecs
        transceiver.setCodecPreferences([c for c in known if c.mimeType == codec])
    await pc.setLocalDescription(await pc.createOffer())
    answer = await asyncio.to_thread(post, url, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    receiver = pc.getTransceivers()[0].receiver
    seen = {"pictures": 0, "flat": 0, "sizes": [], "lost": 0}
    for _ in range(count):
        picture = await asyncio.wait_for(receiver.track.recv(), 20)
        luma = picture.to_ndarray(format="gray")
        seen["pictures"] += 1
        seen["flat"] += int(luma.std() < 10)
        if [picture.width, picture.height] not in seen["sizes"]:
            seen["sizes"].append([picture.width, picture.height])
    for report in (await receiver.getStats()).values():
        if report.type == "inbound-rtp":
            seen["lost"] = report.packetsLost
    seen["answer"] = answer
    await pc.close()
    return seen


print(json.dumps(asyncio.run(play(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))))
