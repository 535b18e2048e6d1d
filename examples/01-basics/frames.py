"""Prints what a robot's camera sees, one line a frame."""
import waldo

robot = waldo.Robot()
for frame in robot.camera("front"):
    print(f"{frame.sequence}: {frame.shape} {frame.dtype}, brightness {frame.mean():.1f}, "
          f"{1000 * frame.age:.0f} ms old")
