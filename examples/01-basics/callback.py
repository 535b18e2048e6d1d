"""Has a function called with each frame of a camera."""
import signal

import waldo

robot = waldo.Robot()
camera = robot.camera("front")


@camera.subscribe
def on_frame(frame):
    print(f"got frame {frame.sequence}")


signal.pause()  # until Ctrl-C; a program with work of its own does it here
