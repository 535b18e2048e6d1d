"""Sets a slow lamp to what a page wishes, always the newest."""
import time

import waldo

topic = waldo.Robot().topic("lamp")
for wish in topic.subscribe(waldo.MostRecentSubscription()):
    time.sleep(0.5)  # the lamp takes its time
    print("the lamp is at", wish["brightness"])
    topic.put_nowait({"is": wish["brightness"]})
