"""Turns a rover for two seconds, once nobody else drives."""
import time

import waldo

robot = waldo.Robot(name="polite.py")
while True:
    try:
        with robot.drive("motors") as drive:
            print("driving")
            drive.send_for(2, left=60, right=-60)
        break
    except waldo.Refused as why:  # somebody drives, or has taken over: the text says who
        print(why)
        time.sleep(1)
print("done")
