"""Drives a rover as the page keys.html wishes, for as long as it does."""
import waldo

robot = waldo.Robot(name="keys.py")
wishes = robot.topic("wish").subscribe(waldo.MostRecentSubscription())
with robot.drive("motors") as drive:
    while True:
        try:
            wish = wishes.take(timeout=0.2)
        except TimeoutError:
            wish = {"forward": 0, "turn": 0}  # nobody wishes anything
        forward, turn = 200 * wish["forward"], 60 * wish["turn"]
        try:
            drive.send(left=forward + turn, right=forward - turn)
        except waldo.CommandRefused as why:  # it came too late, for example; the next one need not
            print(why)
