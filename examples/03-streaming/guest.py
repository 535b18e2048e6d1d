"""Prints what somebody's browser shares with the robot, one line a frame."""
import waldo

robot = waldo.Robot()
for frame in robot.camera("guest"):
    height, width, _ = frame.shape
    print(f"guest: {width} x {height}, brightness {frame.mean():.1f}, {1000 * frame.age:.0f} ms old")
