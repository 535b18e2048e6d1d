package camera

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/pipeline"
	"github.com/waldo-robot/waldo/video/source"
)

// tellEvery is how often the description is renewed while there is a source.
const tellEvery = 2 * time.Second

// encoding is the attribute that says what is made of the source's pictures, for people.
const encoding = "encoding"

// passes is the attribute with which some sources say whether viewers get their pictures untouched.
const passes = "passes"

// tell keeps the description true until ctx ends: what the source is, what is made of its pictures, which may be
// changed before, and what that costs.
func (d *Driver) tell(ctx context.Context, src, changed source.Source) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	defer d.kit.SetAttributes(map[string]string{encoding: ""})
	var m meter
	for {
		work := d.pipeline.Work()
		if d.hook != nil {
			work.CPU += d.hook.CPU()
		}
		d.describe(src.Info(), words(changed.Info(), work, m.read(work, time.Now())))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// meter turns CPU time into a share of one core that people can read: it stays until it is off by more than a
// point and a tenth.
type meter struct {
	last  pipeline.Work
	at    time.Time
	shown float64 // %; 0 for nothing yet
}

// read returns the share in percent since the last call; 0 if it is not known, because other work was done then.
func (m *meter) read(w pipeline.Work, now time.Time) float64 {
	last, since := m.last, now.Sub(m.at)
	m.last, m.at = w, now
	if since <= 0 || !slices.Equal(w.Passed, last.Passed) || !slices.Equal(w.Encoded, last.Encoded) {
		m.shown = 0
		return 0
	}
	share := 100 * (w.CPU - last.CPU).Seconds() / since.Seconds()
	if off := math.Abs(share - m.shown); m.shown == 0 || off > 1 && off > m.shown/10 {
		m.shown = share
	}
	return m.shown
}

// words say what is made of the pictures, at a cost in percent of a core, which is 0 while it is not known. They are ""
// while nothing is made.
func words(info source.Info, w pipeline.Work, percent float64) string {
	own := strings.TrimSpace(media.Name(info.Current.GetMediaType()) + " " + info.Attributes["profile"])
	passed, encoded := "passed through ("+own+")", "encoded again from "+own
	if info.Current.GetMediaType() == media.Raw {
		encoded = "encoded from " + own
	}
	switch {
	case len(w.Passed)+len(w.Encoded) == 0:
		return ""
	case len(w.Encoded) == 0:
		return passed
	case len(w.Passed) > 0:
		var names []string
		for _, mediaType := range w.Encoded {
			names = append(names, media.Name(mediaType))
		}
		encoded = passed + ", and encoded again as " + strings.Join(names, " and ")
	}
	switch {
	case percent <= 0:
		return encoded
	case percent < 1:
		return encoded + ": under 1 % of a core"
	}
	return fmt.Sprintf("%s: %.0f %% of a core", encoded, percent)
}
