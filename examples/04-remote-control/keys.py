"""Drives a rover as the page keys.html wishes, for as long as it does."""
import waldo

robot = waldo.Robot(name="keys.py")
wishes = robot.topic("wish").subscribe(waldo.MostRecentSubscription())
with robot.drive("motors") as drive:
    while True:
        try:
            wish = wishes.take(timeout=0.2)
        except TimeoutError:
            drive.stop()  # nobody wishes anything; without this, the motors stop when the last command expires
            continue
        forward, turn = 200 * wish["forward"], 60 * wish["turn"]
        drive.send(left=forward + turn, right=forward - turn)
