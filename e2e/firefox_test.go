package e2e

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// decoded returns the number of decoded pictures of each video on the page. All of them must be VP8.
const decoded = `(async () => {
  const stats = [...(await peers.at(-1).getStats()).values()];
  const videos = stats.filter((s) => s.type === 'inbound-rtp' && s.kind === 'video');
  if (videos.some((v) => stats.find((s) => s.id === v.codecId)?.mimeType !== 'video/VP8')) throw new Error('not VP8');
  return videos.map((v) => v.framesDecoded);
})()`

// awaitPictures waits until Firefox has decoded more pictures of both videos.
func awaitPictures(t *testing.T, firefox *harness.Firefox, more int) {
	t.Helper()
	var before []int
	firefox.Eval(t, decoded, &before)
	harness.Until(t, "both videos move", func() error {
		var now []int
		firefox.Eval(t, decoded, &now)
		if len(now) != 2 {
			return fmt.Errorf("there are %d videos", len(now))
		}
		for i, n := range now {
			if i < len(before) {
				n -= before[i]
			}
			if n < more {
				return fmt.Errorf("%v pictures, %v before", now, before)
			}
		}
		return nil
	})
}

// shows reports whether the picture of the camera in front is live.
const shows = `(() => {
  const tile = document.querySelector('[data-device="front"][data-picture]');
  return tile?.dataset.picture === 'live' && tile.querySelector('video').videoWidth > 0;
})()`

// firefoxRobot runs the simulated rover, and opens its page in Debian's Firefox, which lacks H.264.
func firefoxRobot(t *testing.T, network *harness.Network) (*harness.Robot, *harness.Firefox) {
	t.Helper()
	robot := harness.StartRobot(t, harness.Options{Name: "rover", Drive: harness.RoverDrive, Network: network,
		Devices: `front: {kind: camera, source: sim, fps: 30}
		map: {kind: camera, source: sim, view: above, fps: 30}
		voice: {kind: audio, source: tone}
		` + harness.BoardAt("sim")})
	firefox, url := harness.StartFirefox(t), robot.URL
	if network != nil {
		url += "/?token=" + harness.Token
	}
	firefox.Open(t, url)
	return robot, firefox
}

// firefoxDrives presses Drive and holds W until the picture has moved, and then stops.
func firefoxDrives(t *testing.T, firefox *harness.Firefox) {
	t.Helper()
	firefox.Eval(t, look+", window.still = look(), null", new(any))
	harness.Until(t, "the picture moves", func() error {
		state := firefoxHolds(t, firefox)
		var at struct {
			Motors string
			Moved  float64
		}
		firefox.Eval(t, "({ motors: document.querySelector('#drive').dataset.motors, moved: differs(still, look()) })", &at)
		if at.Motors != "driven" || at.Moved <= 5 {
			return fmt.Errorf("%+v, and %s", at, state)
		}
		return nil
	})
	firefox.Release(t, "KeyW")
	harness.Until(t, "nobody drives", func() error {
		var at [2]string
		firefox.Eval(t, "[waldo.drive.state, document.querySelector('#drive').dataset.holder]", &at)
		if at[0] != "off" {
			firefox.Click(t, "#drive-button")
		}
		if at[0] != "off" || at[1] != "" {
			return fmt.Errorf("the drive is %s, and the holder %q", at[0], at[1])
		}
		return nil
	})
}

// firefoxHolds does what somebody does who drives ahead with W, and says how the drive is. A page that stood still for
// a moment, as happens on a busy machine, treats all keys as released until they are pressed again, and one that stood
// still for a second drives no more.
func firefoxHolds(t *testing.T, firefox *harness.Firefox) string {
	t.Helper()
	var drive struct {
		State, Says string
		Ready, Held bool
	}
	firefox.Eval(t, `({
	  state: waldo.drive.state, says: waldo.drive.state + ': ' + waldo.drive.why + waldo.drive.refusal,
	  ready: waldo.robot.state === 'live' && document.querySelector('#drive-button').textContent === 'Drive',
	  held: Object.values(waldo.drive.values ?? {}).some((v) => v !== 0),
	})`, &drive)
	switch {
	case drive.State == "driving" && !drive.Held:
		firefox.Release(t, "KeyW")
		firefox.Press(t, "KeyW")
	case drive.State != "driving":
		firefox.Release(t, "KeyW")
		if drive.State == "off" && drive.Ready {
			firefox.Click(t, "#drive-button")
		}
	}
	return "the drive is " + drive.Says
}

// keepPicture saves a screenshot of Firefox for people to look at, if the environment asks for it.
func keepPicture(t *testing.T, firefox *harness.Firefox) {
	t.Helper()
	if dir := os.Getenv("WALDO_SCREENSHOTS"); dir != "" {
		firefox.Screenshot(t, dir+"/"+t.Name()+".png")
	}
}

// TestFirefox streams VP8 over WebRTC to a Firefox on another machine, which drives the robot. A killed camera returns
// on the same connection.
func TestFirefox(t *testing.T) {
	robot, firefox := firefoxRobot(t, harness.StartNetwork(t))
	firefox.Until(t, shows)
	awaitPictures(t, firefox, 60)
	firefoxDrives(t, firefox)
	keepPicture(t, firefox)
	killed := robot.Device(t, "front").PID
	harness.Crash(t, killed)
	harness.Until(t, "the camera is started again", func() error {
		if robot.Device(t, "front").PID == killed {
			return errors.New("not yet")
		}
		return nil
	})
	firefox.Until(t, shows)
	awaitPictures(t, firefox, 60)
	var peers int
	if firefox.Eval(t, "peers.length", &peers); peers != 1 {
		t.Errorf("the page made %d connections", peers)
	}
}

// TestFirefoxOnTheRobot: Firefox does not use WebRTC over loopback. The page says so; the pictures, in VP8, and the
// commands go over WebSockets.
func TestFirefoxOnTheRobot(t *testing.T) {
	_, firefox := firefoxRobot(t, nil)
	firefox.Until(t, shows)
	// the latter on a machine without one
	firefox.Until(t, "/loopback|no network interface/.test(document.querySelector('#way').textContent)")
	firefoxDrives(t, firefox)
	keepPicture(t, firefox)
}

// TestFirefoxSees: Firefox reads no capture times from packets; the gateway tells them, so its driver is not blind.
func TestFirefoxSees(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Drive: seeFront, Network: harness.StartNetwork(t),
		Devices: frontCard + "\n" + harness.BoardAt("sim")})
	motors := robot.Device(t, "motors")
	firefox := harness.StartFirefox(t)
	firefox.Open(t, robot.URL+"/?token="+harness.Token)
	firefox.Until(t, shows)
	firefox.Until(t, "waldo.robot.video('front').seenMs !== null")
	seen := func() (known, unknown float64) {
		return robot.Metric(t, motors, "waldo_control_sight_age_seconds_count", ""),
			robot.Metric(t, motors, "waldo_control_unseen_total", "")
	}
	begin, before := seen()
	harness.Until(t, "the motors know the pictures that are shown", func() error {
		state := firefoxHolds(t, firefox)
		if known, unknown := seen(); known-begin < 60 {
			return fmt.Errorf("%v, and %v not; %s", known-begin, unknown-before, state)
		}
		return nil
	})
	if known, unknown := seen(); unknown-before > (known-begin)/10 { // none but while the first picture was awaited
		t.Errorf("%v commands named a picture that the motors do not know, %v one that they know", unknown-before,
			known-begin)
	}
}
