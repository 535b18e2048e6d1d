"""Prints how loud a robot's microphone is, four times a second."""
import numpy

import waldo

robot = waldo.Robot()
for piece in robot.audio("voice", rate=48000, block=12000):  # arrays (samples, channels) of -1 to 1
    level = 20 * numpy.log10(numpy.sqrt(numpy.mean(numpy.square(piece))) + 1e-6)
    print(f"{len(piece)} samples, {level:.0f} dB")
