"""Prints how fast the wheels of a rover turn, whenever that changes."""
import waldo

last = None
for report in waldo.Robot().serial("motors"):
    wheels = report["left"], report["right"]
    if wheels != last:
        print("left %d, right %d" % wheels)
        last = wheels
