"""A worker of a track in Python: worker.py NATS ROBOT CAMERA TRACK NAME.

Its result is the size of the JPEG in bytes.
"""

import contextlib
import sys

import waldo

nats, name_of_robot, camera, track, name = sys.argv[1:]
with waldo.Robot(nats, robot=name_of_robot) as robot, contextlib.suppress(KeyboardInterrupt):
    robot.work(camera, track, len, format="jpeg", name=name).wait()
