package uvcsim

import "time"

// Bits of the second byte of a payload header. The first byte is its length.
const (
	headerSize   = 2
	headerEnd    = 0x80 // the header ends here
	frameEnd     = 0x02 // the picture ends with this payload
	frameIDBit   = 0x01 // changes with every picture
	maxPictureIn = maxPayload - headerSize
)

// payloads cuts a picture into payloads for the bus. The frame id separates the payloads of one picture from those of
// the next.
func payloads(picture []byte, frameID byte) [][]byte {
	var all [][]byte
	for {
		part := picture[:min(len(picture), maxPictureIn)]
		picture = picture[len(part):]
		flags := headerEnd | frameID
		if len(picture) == 0 {
			flags |= frameEnd
		}
		all = append(all, append([]byte{headerSize, flags}, part...))
		if len(picture) == 0 {
			return all
		}
	}
}

// stream sends pictures at the agreed rate while the host requests them, until done is closed or the connection
// breaks.
func (c *Camera) stream(l *link, settings func() setting, done <-chan struct{}) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var due time.Time
	for frameID := byte(0); ; frameID ^= frameIDBit {
		stream, ok := l.await(done)
		if !ok {
			return nil
		}
		s := settings()
		due = nextDue(due, time.Now(), s.period())
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-done:
			return nil
		}
		for _, p := range payloads(c.next(s.size()), frameID) {
			sent, err := l.deliver(done, stream, p)
			if err != nil {
				return err
			}
			if !sent {
				break // the stream of the rest of this picture has ended
			}
		}
	}
}

// nextDue keeps the rate across short delays, and starts over after long ones rather than catching up.
func nextDue(last, now time.Time, period time.Duration) time.Time {
	due := last.Add(period)
	if now.Sub(due) > period {
		return now
	}
	return due
}
