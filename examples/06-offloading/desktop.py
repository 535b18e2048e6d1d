"""Turns a rover to the lightest part of what its camera sees, and shows that as a camera of its own, `thought`."""
import numpy

import waldo

STRIPES = 16


def lightest(frame):
    """Where the lightest upright stripe of a frame is, from -1, left, to 1, right."""
    columns = frame.mean(axis=(0, 2))
    best = max(range(STRIPES), key=lambda i: numpy.array_split(columns, STRIPES)[i].mean())
    return (2 * best + 1) / STRIPES - 1


def think(frames, drive):
    for frame in frames:
        at = lightest(frame)
        try:
            drive.send(left=int(60 * at), right=-int(60 * at))
        except waldo.CommandRefused as why:  # it came too late, for example; the next one need not
            print(why)
        seen = frame.copy()
        middle = int((at + 1) / 2 * frame.shape[1])
        seen[:, middle - 2 : middle + 2] = (0, 0, 255)
        yield seen


robot = waldo.Robot()
frames = robot.camera("front", width=320, height=240)
with robot.drive("motors") as drive:
    robot.publish("thought", think(frames, drive), always=True)  # thinks even if nobody watches
