package readme

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// looks opens a page in Chromium, or returns to it if it is open, and checks what people see there.
func looks(url string, see func(t *testing.T, s *session, p *harness.Page)) step {
	return step{do: func(t *testing.T, s *session, _ string) {
		t.Log("open " + url)
		see(t, s, s.open(t, url))
	}}
}

// prints waits until a program that was left running has printed a text.
func prints(text string) step {
	return step{do: func(t *testing.T, s *session, _ string) {
		harness.Until(t, "a program prints "+text, func() error {
			var all strings.Builder
			for _, p := range s.running {
				all.WriteString(p.Output())
			}
			return holds(all.String(), []string{text})
		})
	}}
}

// ends stops the program that was started last, as Ctrl-C does.
func ends(t *testing.T, s *session, _ string) {
	last := len(s.running) - 1
	if last < 0 {
		t.Fatal("no program runs")
	}
	s.interrupt(t, s.running[last])
	s.running = s.running[:last]
}

// hasPictures waits until an element <video> has shown more pictures.
func hasPictures(t *testing.T, p *harness.Page, selector string) {
	t.Helper()
	const shown = "document.querySelector($1).getVideoPlaybackQuality().totalVideoFrames"
	before := harness.Eval[float64](t, p, shown, selector)
	p.Until(t, shown+" > $2", selector, before+20)
}

// averageColor is the mean red, green and blue of what an element <video> shows.
func averageColor(t *testing.T, p *harness.Page, selector string) [3]float64 {
	t.Helper()
	return harness.Eval[[3]float64](t, p, `(() => {
	  const video = document.querySelector($1);
	  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
	  const context = canvas.getContext('2d');
	  context.drawImage(video, 0, 0);
	  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
	  const sums = [0, 0, 0];
	  for (let i = 0; i < data.length; i += 1) if (i % 4 < 3) sums[i % 4] += data[i];
	  return sums.map((sum) => sum / (data.length / 4));
	})()`, selector)
}

// shows waits until an element's text, or the value of an <output>, has a text in it.
func shows(t *testing.T, p *harness.Page, selector, text string) {
	t.Helper()
	p.Until(t, "document.querySelector($1).textContent.includes($2)", selector, text)
}

// clicksUntil clicks an element, again and again, until another has a text in it: for messages that reach only who has
// arrived already.
func clicksUntil(t *testing.T, p *harness.Page, button, selector, text string) {
	t.Helper()
	harness.Until(t, fmt.Sprintf("%s shows %q after clicks on %s", selector, text, button), func() error {
		p.Click(t, button)
		shown, err := harness.TryEval[string](p, "document.querySelector($1).textContent", selector)
		if err != nil {
			return err
		}
		return holds(shown, []string{text})
	})
}
