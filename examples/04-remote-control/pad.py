"""Drives a rover with a gamepad that is connected to the robot."""
import time

import waldo

robot = waldo.Robot(name="pad.py")
pad = robot.input("pad")
with robot.drive("motors") as drive:
    while True:
        try:
            axes = pad.state(timeout=0.2)  # where they are now, -1 to 1: if nobody knows, nothing is sent
            forward, turn = -axes.get("ABS_Y", 0), axes.get("ABS_X", 0)
            drive.send(left=round(200 * forward + 60 * turn), right=round(200 * forward - 60 * turn))
        except (waldo.CommandRefused, waldo.Unavailable) as why:  # too late, for example; the rover stands meanwhile
            print(why)
        time.sleep(0.05)  # a command is good for 200 ms
