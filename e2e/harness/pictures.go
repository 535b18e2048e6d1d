package harness

import (
	"os"
	"strings"
	"testing"
)

// Picture is one that a video element has shown. Times are in ms since 1970.
type Picture struct {
	At       float64 `json:"at"`       // when it was handed to the compositor
	Captured float64 `json:"captured"` // as its stamp says; 0 if that cannot be read
	Width    int     `json:"width"`
}

// watching records the pictures of a video element, which may be of any size: the stamp is read after it was scaled to
// the size in which it was painted. Its freezes are those that the browser counts.
const watching = `(() => {
  const stamps = (() => { $STAMP; return { decodeStamp }; })();
  const context = new OffscreenCanvas(320, 96).getContext('2d', { willReadFrequently: true });
  const scales = new Map(); // by width, of those that were read
  const read = (video, at) => {
    const known = scales.get(video.videoWidth);
    for (const scale of known ? [known] : [1, 4 / 3, 2, 8 / 3, 4]) {
      context.drawImage(video, 0, 0, 320 / scale, 96 / scale, 0, 0, 320, 96);
      const stamp = stamps.decodeStamp(context.getImageData(0, 0, 320, 96), at);
      if (!stamp) continue;
      scales.set(video.videoWidth, scale);
      return stamp.timeUs / 1000;
    }
    return 0;
  };
  window.watching = (video) => {
    const pictures = (window.watched = []);
    const take = (_, frame) => {
      const at = performance.timeOrigin + frame.presentationTime;
      pictures.push({ at, captured: read(video, at), width: video.videoWidth });
      video.requestVideoFrameCallback(take);
    };
    video.requestVideoFrameCallback(take);
  };
})()`

// Watch records what a video element shows from now on. The selector finds the element.
func (p *Page) Watch(tb testing.TB, selector string) {
	tb.Helper()
	stamp, err := os.ReadFile("../services/webrtc-gateway/web/media/stamp.js")
	if err != nil {
		tb.Fatal(err)
	}
	Eval[any](tb, p, strings.ReplaceAll(watching, "$STAMP", strings.ReplaceAll(string(stamp), "export ", "")))
	p.Until(tb, "document.querySelector($1)", selector)
	Eval[any](tb, p, "watching(document.querySelector($1))", selector)
}

// Watched returns what was shown since Watch, or since the last call.
func (p *Page) Watched(tb testing.TB) []Picture {
	tb.Helper()
	return Eval[[]Picture](tb, p, "watched.splice(0)")
}

// Received is what a page has received of video since it was opened, as its browser counts.
type Received struct {
	Bytes    float64 `json:"bytes"`    // of payload, what was sent again included
	Packets  float64 `json:"packets"`  // that arrived
	Lost     float64 `json:"lost"`     // packets that never arrived
	Decoded  float64 `json:"decoded"`  // pictures
	Freezes  float64 `json:"freezes"`  // pauses that are long for this video
	Frozen   float64 `json:"frozen"`   // seconds
	Asked    float64 `json:"asked"`    // NACKs
	KeyAsked float64 `json:"keyAsked"` // PLIs
}

// Received sums up over the page's connections.
func (p *Page) Received(tb testing.TB) Received {
	tb.Helper()
	return Eval[Received](tb, p, `(async () => {
	  const sum = { bytes: 0, packets: 0, lost: 0, decoded: 0, freezes: 0, frozen: 0, asked: 0, keyAsked: 0 };
	  for (const pc of peers) for (const s of (await pc.getStats()).values()) {
	    if (s.type !== 'inbound-rtp' || s.kind !== 'video') continue;
	    sum.bytes += s.bytesReceived; sum.packets += s.packetsReceived; sum.lost += s.packetsLost;
	    sum.decoded += s.framesDecoded ?? 0; sum.freezes += s.freezeCount ?? 0;
	    sum.frozen += s.totalFreezesDuration ?? 0; sum.asked += s.nackCount ?? 0; sum.keyAsked += s.pliCount ?? 0;
	  }
	  return sum;
	})()`)
}
