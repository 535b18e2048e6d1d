"""RTCBot from PyPI, as a client or as a robot: prints what happens as JSON lines, and obeys orders that it reads.

Its argument is what it shall be, as JSON:
  url       where to POST the offer, or the WebSocket to open; without it, it is a robot that serves /connect
  dial      for a robot that serves nothing: the WebSocket on which it waits for offers
  websocket true for RTCBot's Websocket in place of RTCConnection
  video, audio            how many tracks to receive
  sendVideo, sendAudio    true to send a moving picture, a tone
  channels  labels of more data channels
  stamps    true to tell of each frame only its age, in ms
  camera    for a robot whose connections share a camera: a folder of JPEG pictures of 640x480, which it shows at 30
            fps, each with its time
Orders: {"say": value}, {"channel": label, "say": value}, {"close": true}. It ends with its orders.
"""
import asyncio
import json
import os
import pathlib
import sys
import time

import aiohttp
import aiohttp.web
import av
import numpy

numpy.float = float  # RTCBot 0.2.5 uses the name that numpy has removed
from aiortc import RTCConfiguration  # noqa: E402
from rtcbot import RTCConnection, Websocket  # noqa: E402
from rtcbot.base import SubscriptionProducer  # noqa: E402
from rtcbot.subscriptions import MostRecentSubscription  # noqa: E402

import stamp  # noqa: E402


def tell(event, value=None):
    print(json.dumps({"event": event, "value": value}), flush=True)


def picture(number):
    """A picture of 320x240 whose upper half is bright, with a bar that moves."""
    image = numpy.zeros((240, 320, 3), numpy.uint8)
    image[:120] = 200
    image[:, 4 * (number % 80):4 * (number % 80) + 8] = (0, 0, 255)
    return image


async def show(connection):
    for number in range(1_000_000):
        connection.video.put_nowait(picture(number))
        await asyncio.sleep(1 / 15)


async def sound(connection):
    t = numpy.arange(960) / 48000
    block = (0.3 * numpy.sin(2 * numpy.pi * 500 * t)).reshape(-1, 1)
    while True:
        connection.audio.put_nowait(block)
        await asyncio.sleep(0.02)


class Camera(SubscriptionProducer):
    """A camera as RTCBot has them: its subscribers get the most recent frame."""

    def __init__(self):
        super().__init__(MostRecentSubscription)

    async def run(self, folder):
        scenes = [av.open(str(path)).decode(video=0).__next__().to_ndarray(format="bgr24")
                  for path in sorted(pathlib.Path(folder).iterdir())]
        began = time.monotonic()
        for number in range(1_000_000):
            image = scenes[number % len(scenes)].copy()
            stamp.paint(image, time.time(), number)
            self._put_nowait(image)
            await asyncio.sleep(max(0, began + (number + 1) / 30 - time.monotonic()))


def on_age(frame):
    captured = stamp.read(frame)
    if captured is not None:
        tell("age", (time.time() - captured) % (2**48 / 1e6) * 1000)


def on_frame(track):
    def report(frame):
        tell("frame", {"track": track, "shape": list(frame.shape), "type": str(frame.dtype),
                       "mean": float(frame.mean()), "at": time.time()})
    return report


class Puppet:
    """One connection."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.tasks = set()
        self.channels = {}
        self.tracks = 0
        self.connection = RTCConnection(rtcConfiguration=RTCConfiguration([]))
        self.connection.subscribe(lambda m: tell("message", m.decode("latin-1") if isinstance(m, bytes) else m))
        self.connection.onReady(lambda: tell("ready"))
        self.connection.onClose(lambda: tell("closed"))
        self.prepare()

    def start(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)

    def prepare(self):
        wanted, connection = self.wanted, self.connection
        if wanted.get("sendVideo"):
            connection.video.addTrack(fps=15)
            self.start(show(connection))
        if wanted.get("sendAudio"):
            connection.audio.addTrack()
            self.start(sound(connection))
        if wanted.get("video"):
            connection.video.offerToReceive(wanted["video"])

            @connection.video.onTrack
            def arrived(track):
                track.subscribe(on_age if wanted.get("stamps") else on_frame(self.tracks))
                self.tracks += 1
        if wanted.get("audio"):
            connection.audio.subscribe(lambda block: tell("sound", {"shape": list(block.shape),
                                                                   "peak": float(abs(block).max())}))

    def add_channels(self):
        for label in self.wanted.get("channels", []):
            channel = self.connection.addDataChannel(label)
            channel.subscribe(lambda m, label=label: tell("message on " + label, m))
            self.channels[label] = channel

    async def call(self, url):
        self.add_channels()
        offer = await self.connection.getLocalDescription()
        async with aiohttp.ClientSession() as session:
            async with session.post(url, data=json.dumps(offer)) as response:
                if response.status != 200:
                    tell("refused", [response.status, await response.text()])
                    return
                answer = await response.json()
        tell("answer", answer["sdp"])
        await self.connection.setRemoteDescription(answer)

    async def answer(self, request):
        tell("offer", None)
        answer = await self.connection.getLocalDescription(await request.json())
        return aiohttp.web.json_response(answer)

    def obey(self, order):
        if "channel" in order:
            self.channels[order["channel"]].put_nowait(order["say"])
        elif "say" in order:
            self.connection.put_nowait(order["say"])
        elif order.get("close"):
            self.start(self.connection.close())


class Socket:
    """RTCBot's Websocket."""

    def __init__(self, url):
        self.socket = Websocket(url)
        self.socket.subscribe(lambda m: tell("message", m))
        self.socket.onReady(lambda: tell("ready"))
        self.socket.onClose(lambda: tell("closed"))

    def obey(self, order):
        if "say" in order:
            self.socket.put_nowait(order["say"])
        elif order.get("close"):
            asyncio.ensure_future(self.socket.close())


async def serve(wanted):
    """A robot, as in RTCBot's tutorials: each call is a new connection."""
    robot = {"puppet": None}
    camera = Camera()
    if wanted.get("camera"):
        robot["shooting"] = asyncio.ensure_future(camera.run(wanted["camera"]))

    async def connect(request):
        robot["puppet"] = Puppet(wanted)
        if wanted.get("camera"):
            robot["puppet"].connection.video.putSubscription(camera.subscribe())
        return await robot["puppet"].answer(request)

    app = aiohttp.web.Application()
    app.router.add_post("/connect", connect)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    host, port = wanted["listen"].split(":")
    await aiohttp.web.TCPSite(runner, host, int(port)).start()
    tell("serving")
    return lambda order: robot["puppet"].obey(order)


async def dial(wanted):
    """A robot that cannot be reached, as in RTCBot's tutorial on remote connections: offers come to it."""
    robot = {"puppet": None}

    async def wait():
        socket = Websocket(wanted["dial"])
        tell("dialing")
        while True:
            offer = await socket.get()
            tell("offer", None)
            robot["puppet"] = Puppet(wanted)
            socket.put_nowait(await robot["puppet"].connection.getLocalDescription(offer))

    robot["waiting"] = asyncio.ensure_future(wait())
    return lambda order: robot["puppet"].obey(order)


async def part(puppet):
    """Ends the process with its connection, whatever RTCBot's threads and tasks wait for."""
    try:
        if puppet and not puppet.connection.closed:
            await asyncio.wait_for(puppet.connection.close(), 3)
    finally:
        os._exit(0)


async def main():
    puppet = None
    wanted = json.loads(sys.argv[1])
    if "listen" in wanted:
        obey = await serve(wanted)
    elif "dial" in wanted:
        obey = await dial(wanted)
    elif wanted.get("websocket"):
        obey = Socket(wanted["url"]).obey
    else:
        puppet = Puppet(wanted)
        obey = puppet.obey
        await puppet.call(wanted["url"])
    while line := await asyncio.to_thread(sys.stdin.readline):
        obey(json.loads(line))
    await part(puppet)


asyncio.run(main())
