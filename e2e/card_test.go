package e2e

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// cardLog records, with the time, each change in what the drive card shows about the motors and the pictures.
const cardLog = `(() => {
  const card = document.querySelector('#drive');
  window.card = [];
  const note = () => window.card.push({ at: Date.now(), motors: card.dataset.motors, pictures: card.dataset.pictures });
  note();
  new MutationObserver(note).observe(card, { attributes: true, attributeFilter: ['data-motors', 'data-pictures'] });
})()`

// cardLimit is 300 ms, plus how late a machine with two busy cores may run a timer of the page.
const cardLimit = 300*time.Millisecond + 150*time.Millisecond

// awaitCard waits until the card shows a state that started after began, and checks how long that took.
func awaitCard(t *testing.T, page *harness.Page, attribute, state string, began time.Time) {
	t.Helper()
	const find = "card.find((c) => c.at >= $1 && c[$2] === $3)"
	page.Until(t, find, began.UnixMilli(), attribute, state)
	at := harness.Eval[int64](t, page, find+".at", began.UnixMilli(), attribute, state)
	took := time.Duration(at-began.UnixMilli()) * time.Millisecond
	t.Logf("%s %s: after %v", attribute, state, took)
	if took > cardLimit {
		t.Errorf("the card shows %s %s after %v", attribute, state, took)
	}
}

// TestDriveCard freezes what the card reports on, and expects the card to show that soon, in place of the last report.
func TestDriveCard(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Drive: harness.RoverDrive,
		Devices: "front: {kind: camera, source: test, width: 640, height: 480, fps: 30}\n" + harness.BoardAt("sim")})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	page.Tile(t, "front").WaitFrames(t, 30)
	page.Until(t, "waldo.robot.state === 'live' && document.querySelector('#drive-button').textContent === 'Drive'")
	page.Click(t, "#drive-button")
	page.Until(t, "waldo.drive.state === 'driving' && document.querySelector('#drive').dataset.motors === 'driven'")
	harness.Eval[any](t, page, cardLog)

	camera, motors := robot.Device(t, "front").PID, robot.Device(t, "motors").PID
	began := time.Now()
	resume := harness.Freeze(t, camera)
	awaitCard(t, page, "pictures", "away", began)
	page.Until(t, "document.querySelector('#drive-picture').textContent.startsWith('The picture of front is ')")
	began = time.Now()
	resume()
	awaitCard(t, page, "pictures", "live", began)

	page.Until(t, "document.querySelector('#drive').dataset.motors === 'driven'")
	began = time.Now()
	resume = harness.Freeze(t, motors)
	awaitCard(t, page, "motors", "unknown", began)
	page.Until(t, "document.querySelector('#drive-motors').textContent.startsWith('motors: unknown')")
	resume()
	page.Until(t, "document.querySelector('#drive').dataset.motors !== 'unknown'")
}
