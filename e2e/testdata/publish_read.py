"""Reads pictures of a camera by gRPC until its colour is that of a test: publish_read.py ADDRESS DEVICE COLOR."""

import sys

import numpy as np

import waldo

COLORS = {"orange": (11, 129, 242), "blue": (200, 80, 20)}

address, device, color = sys.argv[1:]
with waldo.Robot(address) as robot:
    for frame in robot.camera(device):
        middle = frame[frame.shape[0] // 2, frame.shape[1] // 2].astype(int)
        if np.abs(middle - COLORS[color]).max() < 12:
            print(frame.shape, color)
            break
