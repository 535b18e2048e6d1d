package harness

import (
	"slices"
	"testing"
)

// Tile is the part of the page that shows one camera.
type Tile struct {
	page   *Page
	device string
}

// recorder records, from the moment it is installed, every frame the tile presents and every change of the picture's
// state.
const recorder = `(() => {
  const tile = document.querySelector('[data-device="' + $1 + '"][data-picture]');
  const video = tile.querySelector('video');
  const log = { frames: [], states: [] };
  (window.tiles ??= {})[$1] = log;
  const onFrame = (now) => { log.frames.push(performance.now()); video.requestVideoFrameCallback(onFrame); };
  video.requestVideoFrameCallback(onFrame);
  new MutationObserver(() => log.states.push({ at: performance.now(), state: tile.dataset.picture }))
    .observe(tile, { attributes: true, attributeFilter: ['data-picture'] });
})()`

// Tile waits until the page shows live video of a device, and starts recording.
func (p *Page) Tile(tb testing.TB, device string) *Tile {
	tb.Helper()
	t := &Tile{p, device}
	t.WaitState(tb, "live")
	Eval[any](tb, p, recorder, device)
	return t
}

// WaitState waits until the picture has a state: live, stale, or waiting.
func (t *Tile) WaitState(tb testing.TB, state string) {
	tb.Helper()
	t.page.Until(tb, `document.querySelector('[data-device="' + $1 + '"][data-picture]')?.dataset.picture === $2`,
		t.device, state)
}

// Frames returns when each frame since the recording began was presented, in ms of performance.now.
func (t *Tile) Frames(tb testing.TB) []float64 {
	tb.Helper()
	return Eval[[]float64](tb, t.page, "tiles[$1].frames", t.device)
}

// WaitFrames waits until n more frames have been presented.
func (t *Tile) WaitFrames(tb testing.TB, n int) {
	tb.Helper()
	have := Eval[int](tb, t.page, "tiles[$1].frames.length", t.device)
	t.page.Until(tb, "tiles[$1].frames.length >= $2", t.device, have+n)
}

// StateChange is a change of the picture's state at a time of performance.now, in ms.
type StateChange struct {
	At    float64 `json:"at"`
	State string  `json:"state"`
}

// States returns all changes of the picture's state since the recording began.
func (t *Tile) States(tb testing.TB) []StateChange {
	tb.Helper()
	return Eval[[]StateChange](tb, t.page, "tiles[$1].states", t.device)
}

// Gap finds the longest pause in the presented frames around and after a time, and returns its end.
func (t *Tile) Gap(tb testing.TB, after float64) (end float64) {
	tb.Helper()
	longest := 0.0
	frames := t.Frames(tb)
	first := max(1, slices.IndexFunc(frames, func(at float64) bool { return at >= after }))
	for i := first; i < len(frames); i++ {
		if pause := frames[i] - frames[i-1]; pause > longest {
			longest, end = pause, frames[i]
		}
	}
	return end
}

// Connection identifies the media path of the page: while it stays the same, nothing was renegotiated.
type Connection struct {
	Peers   int      `json:"peers"`
	Answers string   `json:"answers"`
	SSRCs   []uint32 `json:"ssrcs"`
	Decoded int      `json:"decoded"`
}

// Connection describes the page's newest RTCPeerConnection. It fails the test if that does not receive video.
func (p *Page) Connection(tb testing.TB) Connection {
	tb.Helper()
	c := Eval[Connection](tb, p, `(async () => {
	  const pc = peers.at(-1);
	  const inbound = [...(await pc.getStats()).values()].filter((s) => s.type === 'inbound-rtp' && s.kind === 'video');
	  return {
	    peers: peers.length,
	    answers: pc.currentRemoteDescription?.sdp ?? '',
	    ssrcs: inbound.map((s) => s.ssrc),
	    decoded: inbound.reduce((n, s) => n + s.framesDecoded, 0),
	  };
	})()`)
	slices.Sort(c.SSRCs)
	if len(c.SSRCs) == 0 {
		tb.Fatal("the page does not receive video")
	}
	return c
}

// Same reports whether both describe the same connection, without a renegotiation in between.
func (c Connection) Same(other Connection) bool {
	return c.Peers == other.Peers && c.Answers == other.Answers && slices.Equal(c.SSRCs, other.SSRCs)
}

// Now is the page's performance.now.
func (p *Page) Now(tb testing.TB) float64 {
	tb.Helper()
	return Eval[float64](tb, p, "performance.now()")
}
