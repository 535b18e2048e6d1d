"""pystreaming from PyPI, unmodified, in its pattern of workers. Its argument is what it shall be, as JSON:

  role      source, worker or receiver
  stream    where the source is: tcp://host:port
  drain     where the receiver is
  picture   for a source: a JPEG that it decodes once, and sends again and again
  fps       for a source: how often; 0 for as often as pystreaming takes it
"""
import json
import sys
import time

from orders import Window, tell
from pystreaming import Receiver, Streamer, Worker
from turbojpeg import TurboJPEG

TRACK = "faces"


def source(spec):
    with open(spec["picture"], "rb") as file:
        picture = TurboJPEG().decode(file.read())
    streamer = Streamer(spec["stream"], tracks=[TRACK], mapreduce=True)
    streamer.start()
    tell("ready")
    due = time.time()
    while True:
        try:
            streamer.send(picture)
        except RuntimeError:  # its encoders are behind
            time.sleep(0.001)
            continue
        if spec["fps"]:
            due += 1 / spec["fps"]
            time.sleep(max(due - time.time(), 0))


def worker(spec):
    share = Worker(spec["stream"], spec["drain"], track=TRACK)
    share.start()
    tell("ready")
    for data in share.handler(1000):
        if data is not None:
            data["meta"] = {"mean": float(data["arr"].mean())}
            share.send(data)


def receiver(spec, window):
    results = Receiver(spec["drain"], mapreduce=True)
    results.start()
    tell("ready")
    for data in results.handler(1000):
        if data is not None:
            window.see(data["ftime"], data["fno"])


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    orders = Window()
    if wanted["role"] == "receiver":
        receiver(wanted, orders)
    else:
        {"source": source, "worker": worker}[wanted["role"]](wanted)
