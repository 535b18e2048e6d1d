"""Prints what happens on a robot, and how many frames a second this program gets."""
import time

import waldo

robot = waldo.Robot()
robot.on_event(print)  # devices and the bus: lost, restarted, away, ready
count, since = 0, time.monotonic()
for frame in robot.camera("front", width=320):
    count += 1
    now = time.monotonic()
    if now - since >= 2:
        print(f"{count / (now - since):.0f} frames a second, the newest {1000 * frame.age:.0f} ms old")
        count, since = 0, now
