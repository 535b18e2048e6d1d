"""A worker, or a receiver of results, with the package waldo. The worker decodes the picture and computes its mean. Its
argument, as JSON:

  role      worker or receiver
  nats      address of the bus
  pictures  true to do all that those of pystreaming do: the worker sends the JPEG on, and the receiver decodes it again
"""
import json
import sys

import waldo
from orders import Window, tell
from simplejpeg import decode_jpeg

CAMERA, TRACK = "front", "faces"


def work(jpeg):
    picture = decode_jpeg(jpeg, colorspace="BGR", fastdct=True, fastupsample=True)
    return {"mean": float(picture.mean())}


def work_and_send(jpeg):
    return work(jpeg), jpeg


def main():
    wanted, window = json.loads(sys.argv[1]), Window()
    with waldo.Robot(wanted["nats"]) as robot:
        if wanted["role"] == "worker":
            do = work_and_send if wanted["pictures"] else work
            worker = robot.work(CAMERA, TRACK, do, format="jpeg")
            tell("ready")
            worker.wait()
        results = robot.results(CAMERA, TRACK)
        tell("ready")
        for result in results:
            if wanted["pictures"]:
                decode_jpeg(result.picture, colorspace="BGR", fastdct=True, fastupsample=True)
            window.see(result.capture_time, result.sequence)


main()
