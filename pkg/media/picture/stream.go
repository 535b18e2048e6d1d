package picture

import (
	"bytes"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/pkg/media/mjpeg"
)

// Stream makes frames of the pictures of one connection. Make it with [New].
type Stream struct {
	mediaType string
	codec     codec
	sets      *sets
	mpeg4     mpeg4
	sequence  *sequence // of the pictures since the last key frame
	synced    bool      // decoding can go on with the next picture
	open      bool      // it began at a key frame whose leading pictures cannot be decoded
	delivered bool      // there was a frame
	lost      int       // pictures since the last frame
	order     order
	group     group
	state     State

	// Of cameras that send no key frames.
	lastKey  time.Time // zero before the first
	waiting  time.Time // since when one is awaited
	keyless  bool      // decoding began at what stands for one …
	unmarked bool      // … though nothing says so
}

// New returns a Stream of a media type. Parameter sets that were announced are used until the stream brings others; for
// MPEG-4 part 2 they are its configuration.
func New(mediaType string, parameterSets [][]byte) *Stream {
	s := &Stream{state: State{Waits: "the camera has sent no picture"}}
	s.begin(mediaType)
	switch {
	case s.codec != nil:
		s.sets.announce(parameterSets)
	case mediaType == media.MPEG4 && len(parameterSets) > 0:
		s.mpeg4.learn(bytes.Join(parameterSets, nil))
	}
	return s
}

// begin forgets all that belongs to another codec.
func (s *Stream) begin(mediaType string) {
	s.mediaType, s.codec, s.sets, s.sequence, s.synced = mediaType, codecOf(mediaType), nil, nil, false
	s.mpeg4 = mpeg4{}
	if s.codec != nil {
		s.sets = newSets(s.codec)
	}
}

// State returns what is known now.
func (s *Stream) State() State {
	state := s.state
	state.Group, state.Warning = s.group.length, s.group.warning()
	return state
}

// Waiting reports whether no picture comes out at present: a key frame is needed, or what came cannot be used.
func (s *Stream) Waiting() bool { return s.state.Waits != "" }

// Picture takes a picture and when it was captured. It returns a frame, or false if there is none.
func (s *Stream) Picture(p Picture, captured time.Time) (Frame, bool) {
	if p.MediaType != s.mediaType {
		s.begin(p.MediaType)
	}
	var f Frame
	var ok bool
	switch {
	case p.MediaType == media.JPEG:
		f, ok = s.jpeg(p)
	case p.MediaType == media.MPEG4:
		f, ok = s.part2(p, captured)
	case p.MediaType == media.VP8:
		f, ok = s.vp8(p, captured)
	case s.codec != nil:
		f, ok = s.coded(p, captured)
	default:
		return Frame{}, s.wait(p.MediaType + " cannot be used: set the camera to H.264")
	}
	if !ok {
		return Frame{}, false
	}
	f.Time, f.Lost = captured, s.lost
	s.state.Waits, s.lost, s.delivered = "", 0, true
	return f, true
}

// wait takes note of a picture that does not come out, and why.
func (s *Stream) wait(why string) bool {
	s.state.Waits = why
	s.lose()
	return false
}

func (s *Stream) lose() {
	if s.delivered {
		s.lost++
	}
}

// Reasons to wait.
const (
	waitsLoss = "a part of the video was lost: the picture comes back at the camera's next key frame"
	waitsKey  = "the camera's next key frame is yet to come"
)

// units is a picture taken apart.
type units struct {
	first   []byte // slice
	role    role   // of it
	list    [][]byte
	newSets [][]byte // picture parameter sets that changed

	recovers bool // it has a recovery point
}

// sort takes a picture apart and keeps its parameter sets.
func (s *Stream) sort(p Picture) (u units) {
	for _, unit := range p.Data {
		if len(unit) == 0 {
			continue
		}
		r := s.codec.role(unit)
		switch {
		case r == videoSet, r == sequenceSet, r == pictureSet:
			if s.sets.add(r, unit) {
				u.newSets = append(u.newSets, unit)
			}
			continue
		case r == unused:
			continue
		case r == message:
			u.recovers = u.recovers || s.codec.recovers(unit)
		case r.isSlice() && u.first == nil:
			u.first, u.role = unit, r
		}
		u.list = append(u.list, unit)
	}
	return u
}

// Cameras that send key frames rarely are not taken for such that never send one.
const (
	keyless  = 5 * time.Second // without a key frame: then a recovery point is one
	unmarked = 5 * time.Second // without either: then a picture that refers to no other is one
)

// substitute makes a key frame of a picture that has to serve as one, because the camera sends none. Those who cannot
// begin there are browsers.
func (s *Stream) substitute(u *units, at time.Time) {
	switch {
	case u.role == key || u.role == openKey:
		s.lastKey, s.keyless = at, false
		return
	case s.waiting.IsZero():
		s.waiting = at
	}
	if u.role != slice || !s.lastKey.IsZero() && at.Sub(s.lastKey) < keyless {
		return
	}
	if !u.recovers {
		if !s.unmarked && (s.synced || at.Sub(s.waiting) < unmarked) || !s.intra(u.list) {
			return
		}
		u.list = slices.Insert(u.list, 0, recoveryPoint)
	}
	u.role, s.keyless, s.unmarked = openKey, true, !u.recovers
}

// intra tells whether a picture refers to no other.
func (s *Stream) intra(list [][]byte) bool {
	return !slices.ContainsFunc(list, func(unit []byte) bool {
		return s.codec.role(unit).isSlice() && !s.codec.intra(unit)
	})
}

// coded takes a picture of NAL units.
func (s *Stream) coded(p Picture, captured time.Time) (Frame, bool) {
	u := s.sort(p)
	if p.Restart || p.Missing || p.Damaged {
		s.interrupt(p)
	}
	if !p.Damaged {
		s.substitute(&u, p.Arrival)
	}
	isKey := u.role == key || u.role == openKey
	switch {
	case u.first == nil && !p.Damaged: // parameter sets only
		return Frame{}, false
	case p.Damaged:
		return Frame{}, s.wait(waitsLoss)
	case isKey:
		if err := s.enter(u); err != nil {
			return Frame{}, s.wait(err.Error())
		}
	case !s.synced && s.delivered:
		return Frame{}, s.wait(waitsLoss)
	case !s.synced:
		return Frame{}, s.wait(waitsKey)
	case s.open && s.leads(u): // made for those who saw what was before
		return Frame{}, false
	}
	s.group.add(captured, isKey)
	s.observe(u, p, isKey)
	f := Frame{Format: s.state.Format, Key: isKey}
	f.Data = s.bytes(u, isKey)
	f.Recode = !s.state.Passage.Passes
	return f, true
}

// interrupt takes note of a loss.
func (s *Stream) interrupt(p Picture) {
	s.synced = false
	s.group.lose()
	s.order = order{reorders: s.order.reorders}
	if p.Missing && !p.Damaged {
		s.lose()
	}
}

// enter begins with a key frame.
func (s *Stream) enter(u units) error {
	q, err := s.sets.of(u.first)
	if err != nil {
		s.synced = false
		return err
	}
	s.open = u.role == openKey && !s.synced
	s.synced = true
	if s.sequence == nil || *s.sequence != *q {
		s.order.reorders = q.reorders == yes
	}
	s.sequence = q
	s.setFormat(q.width, q.height, q.rate)
	s.state.Profile = q.profile
	return nil
}

// leads tells whether a picture is shown before the key frame that was sent before it.
func (s *Stream) leads(u units) bool {
	if u.role == leading {
		return true
	}
	if isKey := u.role == key || u.role == openKey; isKey {
		return false
	}
	count, bits, ok := s.codec.order(u.first, s.sequence)
	leads := ok && s.order.precedes(count, bits)
	s.open = s.open && (leads || !ok)
	return leads
}

// setFormat makes a new format only if it differs: readers compare formats to find out whether they must begin again.
func (s *Stream) setFormat(width, height int, rate float64) {
	f := &mediav1.VideoFormat{MediaType: s.mediaType, FrameRateHz: rate}
	w, h := media.Even(f, int32(width), int32(height))
	f.WidthPx, f.HeightPx = w, h
	if !proto.Equal(s.state.Format, f) {
		s.state.Format = f
	}
}

// observe finds out whether pictures are reordered.
func (s *Stream) observe(u units, p Picture, isKey bool) {
	if count, bits, ok := s.codec.order(u.first, s.sequence); ok {
		s.order.count(count, bits, isKey)
	} else if s.sequence.reorders == unknown && !p.Untimed {
		s.order.time(p.Time, isKey)
	}
	s.state.Passage = passageOf(s.sequence, s.order.reorders)
	if s.keyless && s.state.Passage.Passes {
		s.state.Passage = Passage{Why: whyKeyless}
	}
}

// bytes is the picture in Annex B form, with parameter sets in front.
func (s *Stream) bytes(u units, isKey bool) []byte {
	front := u.newSets
	if isKey {
		front = s.sets.needed(s.sequence)
	}
	n := 0
	for _, list := range [][][]byte{front, u.list} {
		for _, unit := range list {
			n += len(unit) + 4
		}
	}
	out := make([]byte, 0, n)
	for _, list := range [][][]byte{front, u.list} {
		for _, unit := range list {
			out = annexb.Append(out, unit)
		}
	}
	return out
}

// jpeg takes a JPEG. The missing Huffman tables are added.
func (s *Stream) jpeg(p Picture) (Frame, bool) {
	if p.Missing || p.Damaged {
		s.lose()
	}
	if p.Damaged || len(p.Data) != 1 {
		return Frame{}, false
	}
	img, _, ok := mjpeg.Next(p.Data[0])
	switch {
	case !ok:
		return Frame{}, s.wait("the camera's JPEGs are cut off")
	case (&sequence{width: img.Width, height: img.Height}).check() != nil:
		return Frame{}, s.wait(errSize.Error())
	}
	s.setFormat(img.Width, img.Height, 0)
	s.state.Profile, s.state.Passage = "", Passage{Why: whyJPEG}
	return Frame{Format: s.state.Format, Data: img.Data, Key: true}, true
}
