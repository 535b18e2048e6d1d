package replay

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/foreign"
	"github.com/waldo-robot/waldo/recording/play"
)

const (
	// heardAfter is how much longer a browser keeps sound than a picture: its buffer against jitter, and what the codec
	// adds. On a quiet machine Chromium takes 17 to 25 ms, and 40 to 65 ms where programs wait for a CPU;
	// BenchmarkRecordInStep measures what is left of it.
	heardAfter = 25 * time.Millisecond
	// mostBehind is by how much pictures come late at most. A recording that says more was made by two clocks.
	mostBehind = 200 * time.Millisecond
	// delayOf is of how many messages the delay of a channel is that of.
	delayOf = 25
)

// behind is by how much pictures of a channel have to come after their turn so that sound, if any was recorded, is
// heard with them. The sound is the device's own, or that of the first device that has some.
func (d *recorded) behind(pictures *play.Channel) time.Duration {
	all := slices.Concat(d.Channels, d.recording.Channels())
	i := slices.IndexFunc(all, isSound)
	if i < 0 {
		return 0
	}
	sound, inTime := d.delay(all[i])
	picture, ok := d.delay(pictures)
	if !inTime || !ok {
		return heardAfter
	}
	return min(max(0, heardAfter+sound-picture), mostBehind)
}

// isSound reports whether a channel is the sound of a microphone.
func isSound(c *play.Channel) bool {
	if !c.Foreign() {
		return c.Waldo.Type == audioFrame && c.Waldo.Direction == recording.Out && c.Waldo.Stream == audio
	}
	converter, err := foreign.New(c.Schema)
	return err == nil && converter.Kind() == foreign.Audio
}

// delay is how long after its capture a message of a channel usually came to the recorder; false if that cannot be,
// because the clocks were not the same.
func (d *recorded) delay(c *play.Channel) (usual time.Duration, ok bool) {
	messages := d.recording.Messages(0, 0, func(one *play.Channel) bool { return one == c })
	var converter *foreign.Converter
	if c.Foreign() {
		converter, _ = foreign.New(c.Schema) // it was made before
	}
	var delays []time.Duration
	for len(delays) < delayOf {
		m, err := messages.Next()
		if err != nil {
			break // those before say enough
		}
		logged := d.recording.Begin().Add(m.Offset)
		if converter != nil {
			m.Data, err = converter.Message(m.Data, logged)
		}
		if captured := capturedAt(m.Data, isSound(c)); err == nil && !captured.IsZero() {
			delays = append(delays, logged.Sub(captured))
		}
	}
	if len(delays) == 0 {
		return 0, false
	}
	slices.Sort(delays)
	usual = delays[len(delays)/2]
	return usual, usual >= 0 && usual <= time.Second
}

// capturedAt is when a frame was captured; zero if it does not say.
func capturedAt(frame []byte, sound bool) time.Time {
	var f interface {
		proto.Message
		media.Timed
	} = &mediav1.VideoFrame{}
	if sound {
		f = &mediav1.AudioFrame{}
	}
	if proto.Unmarshal(frame, f) != nil || !f.GetCaptureTime().IsValid() {
		return time.Time{}
	}
	return f.GetCaptureTime().AsTime()
}
