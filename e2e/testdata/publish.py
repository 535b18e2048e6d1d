"""A puppet that publishes a camera whose picture has one colour, and a device with messages: publish.py BUS, as JSON.
Its orders are colours."""

import json
import sys
import time

import numpy as np

import waldo

COLORS = {"orange": (11, 129, 242), "blue": (200, 80, 20)}
color = "orange"


def frames():
    while True:
        yield np.full((240, 320, 3), COLORS[color], np.uint8)
        time.sleep(1 / 30)


def readings():
    number = 0
    while True:
        number += 1
        yield {"color": color, "number": number}
        time.sleep(0.1)


with waldo.Robot(json.loads(sys.argv[1])) as robot:
    robot.on_event(lambda e: print(json.dumps({"event": e.kind, "value": str(e)}), flush=True))
    lamp = robot.publish("lamp", frames, background=True)
    notes = robot.publish("notes", readings, background=True)
    for line in sys.stdin:
        color = json.loads(line)
    lamp.stop()
    notes.stop()
