"""Measures, for a benchmark, how long the import takes and how soon a program has its first picture.

Usage: first_frame.py BUS. Prints both as JSON, in milliseconds.
"""
import json, sys, time

begin = time.perf_counter()
from waldo import Robot

imported = time.perf_counter()
with Robot(sys.argv[1]) as robot:
    first = next(iter(robot.camera("front")))
    shown = time.perf_counter()
    assert first.shape == (720, 1280, 3), first.shape
print(json.dumps({"import": 1e3 * (imported - begin), "first": 1e3 * (shown - imported)}))
