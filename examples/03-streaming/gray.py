"""Takes the colour out of a robot's picture, and publishes the result as a camera of its own, `gray`."""
import numpy

import waldo


def gray(frames):
    for frame in frames:
        light = frame.mean(axis=2, dtype=numpy.float32).astype(numpy.uint8)
        yield numpy.repeat(light[:, :, None], 3, axis=2)


robot = waldo.Robot()
robot.publish("gray", gray(robot.camera("front"))).wait()
