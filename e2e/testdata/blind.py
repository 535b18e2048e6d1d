"""Drives by what it sees, and prints why commands are refused: for sight_test.go."""

import threading
import time

import waldo

robot = waldo.Robot()


def look() -> None:
    for _ in robot.camera("front", width=160):
        pass


threading.Thread(target=look, daemon=True).start()
with robot.drive("motors") as drive:
    last = ""
    while True:
        try:
            drive.send(left=100, right=90)
            verdict = "ACCEPTED"
        except waldo.CommandRefused as refused:
            verdict = refused.verdict
        if verdict != last:
            print(verdict, drive.sight, flush=True)
        last = verdict
        time.sleep(0.033)
