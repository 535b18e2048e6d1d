"""Takes the colour out of a robot's picture, and publishes the result as a camera of its own, `gray`."""
import numpy

import waldo

robot = waldo.Robot()


def gray():
    for frame in robot.camera("front"):
        yield frame.mean(axis=2).astype(numpy.uint8)  # (height, width) is gray, (height, width, 3) blue, green, red


robot.publish("gray", gray)  # runs gray() while somebody watches
