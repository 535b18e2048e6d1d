"""Drives a rover with a gamepad that is connected to the robot."""
import waldo

robot = waldo.Robot(name="pad.py")
reports = robot.input("pad").subscribe(waldo.MostRecentSubscription())
pad = {}
with robot.drive("motors") as drive:
    while True:
        try:
            pad = reports.take(timeout=0.05).state  # where all axes are, -1 to 1, whichever has moved
        except TimeoutError:
            pass  # nothing has moved: send the same again, because a command is good for 200 ms
        forward, turn = -pad.get("ABS_Y", 0), pad.get("ABS_X", 0)
        try:
            drive.send(left=round(200 * forward + 60 * turn), right=round(200 * forward - 60 * turn))
        except waldo.CommandRefused as why:  # it came too late, for example; the next one need not
            print(why)
