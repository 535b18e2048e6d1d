"""Publishes what a slow sensor says as a device of its own, `sensor`."""
import random
import time

import waldo


def readings():
    while True:
        time.sleep(0.5)  # the sensor takes its time
        yield {"value": random.random()}


waldo.Robot().publish("sensor", readings)
