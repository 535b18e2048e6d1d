package harness

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// whep is the same player for servers of any make. It offers all its candidates in the POST, because not every server
// takes them later. Times are in ms; those of pictures since 1970.
const whep = `(() => {
  const stamps = (() => { $STAMP; return { decodeStamp, measureLatency }; })();
  const now = () => performance.timeOrigin + performance.now();

  const connect = async (url) => {
    const pc = new RTCPeerConnection();
    pc.addTransceiver('video', { direction: 'recvonly' });
    const track = new Promise((resolve) => { pc.ontrack = (e) => resolve(e.track); });
    await pc.setLocalDescription();
    while (pc.iceGatheringState !== 'complete') {
      await new Promise((resolve) => pc.addEventListener('icegatheringstatechange', resolve, { once: true }));
    }
    const posted = now();
    const response = await fetch(url, {
      method: 'POST', headers: { 'Content-Type': 'application/sdp', ...window.whep.headers }, body: pc.localDescription.sdp });
    const sdp = await response.text();
    if (!response.ok) throw new Error(response.status + ' ' + sdp);
    const location = response.headers.get('Location');
    await pc.setRemoteDescription({ type: 'answer', sdp });
    const leave = async () => {
      if (location) await fetch(new URL(location, response.url), { method: 'DELETE', headers: window.whep.headers }).catch(() => {});
      pc.close();
    };
    return { pc, posted, track: await track, leave };
  };

  // decoded calls take with each picture's time of decoding and its stamp, until that returns true.
  const decoded = async (track, take) => {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    const context = new OffscreenCanvas(320, 96).getContext('2d', { willReadFrequently: true });
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      const at = now();
      context.drawImage(frame, 0, 0);
      frame.close();
      if (take(at, stamps.decodeStamp(context.getImageData(0, 0, 320, 96), at))) break;
    }
    await reader.cancel();
  };

  window.whep = {
    headers: {}, // more, of requests to the server
    // first returns how long after the POST the first picture was decoded, and the first that is of now.
    async first(url, fresh) {
      const p = await connect(url);
      let first, current;
      const late = setTimeout(() => p.pc.close(), 20000);
      await decoded(p.track, (at, stamp) => {
        first ??= at - p.posted;
        if (stamp && at - stamp.timeUs / 1000 < fresh) current = at - p.posted;
        return current !== undefined;
      });
      clearTimeout(late);
      await p.leave();
      if (current === undefined) throw new Error('no picture of now in 20 s');
      return { first, current };
    },
    // latency returns the times from the stamp to being decoded, and to being shown.
    async latency(url, frames) {
      const p = await connect(url);
      const video = Object.assign(document.createElement('video'), { muted: true });
      document.body.append(video);
      video.srcObject = new MediaStream([p.track]);
      video.play();
      await stamps.measureLatency(video, 60); // until it has settled
      const shown = await stamps.measureLatency(video, frames, { timeoutMs: 50000 });
      const times = [];
      await decoded(p.track, (at, stamp) => {
        if (stamp) times.push(at - stamp.timeUs / 1000);
        return times.length >= frames;
      });
      video.remove();
      await p.leave();
      return { shown: shown.frames.map((f) => f.presentedMs), decoded: times };
    },
    // show connects and shows the video in an element of the page.
    async show(url) {
      const p = await connect(url);
      const video = Object.assign(document.createElement('video'), { muted: true, id: 'shown' });
      document.body.append(video);
      video.srcObject = new MediaStream([p.track]);
      await video.play();
    },
    // age returns how old pictures are that the element of show shows.
    async age(settle, frames) {
      await stamps.measureLatency(document.getElementById('shown'), settle);
      const shown = await stamps.measureLatency(document.getElementById('shown'), frames, { timeoutMs: 50000 });
      return shown.frames.map((f) => f.presentedMs);
    },
    // watch keeps watching. seen lists the pictures of the last seconds, each as when it was decoded and captured.
    seen: [],
    async watch(url) {
      const p = await connect(url);
      const { seen } = window.whep;
      decoded(p.track, (at, stamp) => {
        if (stamp) seen.push({ at, captured: stamp.timeUs / 1000 });
        if (seen.length > 1000) seen.shift();
      });
    },
  };
})()`

// Player plays from servers of any make by WHEP, in a page of their own.
type Player struct{ page *Page }

// OpenPlayer opens a page at an address of the server, and puts a player into it. Best it is a page without scripts,
// such as /healthz: one with scripts may load itself again, as Waldo's does when the network changed while it loaded.
func (b *Browser) OpenPlayer(tb testing.TB, address string) *Player {
	tb.Helper()
	stamp, err := os.ReadFile("../services/webrtc-gateway/web/media/stamp.js")
	if err != nil {
		tb.Fatal(err)
	}
	page := b.Open(tb, address)
	Eval[any](tb, page, strings.ReplaceAll(whep, "$STAMP", strings.ReplaceAll(string(stamp), "export ", "")))
	return &Player{page}
}

// Authorize makes the player present a token.
func (p *Player) Authorize(tb testing.TB, token string) {
	tb.Helper()
	Eval[any](tb, p.page, "whep.headers.Authorization = $1", "Bearer "+token)
}

// Close closes the page.
func (p *Player) Close() { p.page.Close() }

// AwaitStream returns when the server has the stream.
func (p *Player) AwaitStream(tb testing.TB, url string) {
	tb.Helper()
	Until(tb, url+" has pictures", func() error {
		_, err := TryEval[any](p.page, "whep.first($1, 1000)", url)
		return err
	})
}

// First connects once. It returns how long after the POST the first picture was decoded, and the first that was not
// older than fresh. All times are in ms.
func (p *Player) First(tb testing.TB, url string, fresh float64) (first, current float64) {
	tb.Helper()
	r := Eval[struct{ First, Current float64 }](tb, p.page, "whep.first($1, $2)", url, fresh)
	return r.First, r.Current
}

// Latency connects once and measures so many pictures: from the stamp to being decoded, and to being shown, in ms.
func (p *Player) Latency(tb testing.TB, url string, frames int) (shown, decoded []float64) {
	tb.Helper()
	r := Eval[struct{ Shown, Decoded []float64 }](tb, p.page, "whep.latency($1, $2)", url, frames)
	return r.Shown, r.Decoded
}

// Watch connects and stays.
func (p *Player) Watch(tb testing.TB, url string) {
	tb.Helper()
	Eval[any](tb, p.page, "whep.watch($1)", url)
}

// Show connects, and shows the video in the page, which it returns; the selector of the element is #shown.
func (p *Player) Show(tb testing.TB, url string) *Page {
	tb.Helper()
	Eval[any](tb, p.page, "whep.show($1)", url)
	return p.page
}

// Age measures so many pictures of what [Player.Show] shows: from the stamp to being shown, in ms. Some before them are
// left out.
func (p *Player) Age(tb testing.TB, before, frames int) (shown []float64) {
	tb.Helper()
	return Eval[[]float64](tb, p.page, "whep.age($1, $2)", before, frames)
}

// Since waits for the first picture that was captured after a moment, and returns when it was decoded. Both are in ms
// since 1970.
func (p *Player) Since(tb testing.TB, moment float64) (at float64, err error) {
	tb.Helper()
	at, err = TryEval[float64](p.page, `(async () => {
	  const late = Date.now() + 25000;
	  for (;;) {
	    const picture = whep.seen.find((s) => s.captured > $1);
	    if (picture) return picture.at;
	    if (Date.now() > late) throw new Error('no new picture in 25 s');
	    await new Promise((resolve) => setTimeout(resolve, 20));
	  }
	})()`, moment)
	if err != nil {
		err = fmt.Errorf("wait for a new picture: %w", err)
	}
	return at, err
}
