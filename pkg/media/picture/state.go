package picture

import (
	"fmt"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// State is what is known of a stream, for people and for those who decide how to use it.
type State struct {
	Format  *mediav1.VideoFormat // of the last frame, nil before the first
	Profile string               // with the level, as in "High 4.0"; "" if the codec has none
	Passage Passage
	// Waits says why no picture comes out, "" if they do.
	Waits string
	// Group is how far apart key frames are, as far as was seen; 0 if unknown. Warning says what a long one
	// costs, and the remedy.
	Group   time.Duration
	Warning string
}

// Passage says whether a browser that takes their codec can show the pictures as they come. It may change at any frame.
type Passage struct {
	Passes bool
	Why    string // it does not, and the remedy; "" before the first frame
	// Reorders says that nothing but the order of the pictures is in the way: most decoders can decode them.
	Reorders bool
}

// Remedies.
const (
	whyReorders = "the camera sends B-frames, which browsers do not play live: " +
		"turn B-frames off in the camera, or set it to H.264 with the profile Baseline"
	whyKeyless = "the camera sends no key frames, without which browsers do not begin: " +
		"turn intra refresh and smart codecs off in the camera"
	whyInterlaced = "the pictures are interlaced: set the camera to progressive video"
	whyJPEG       = "browsers do not play JPEG as video: choose a stream of the camera that is H.264, if it has one"
)

// passageOf says whether pictures of a sequence pass.
func passageOf(s *sequence, reorders bool) Passage {
	if p := coded(s); !p.Passes || !reorders {
		return p
	}
	return Passage{Why: whyReorders, Reorders: true}
}

// coded says whether pictures pass by the way they are coded.
func coded(s *sequence) Passage {
	switch {
	case s.interlaced:
		return Passage{Why: whyInterlaced}
	case s.depth > 8:
		return Passage{Why: fmt.Sprintf("the pictures have %d bits per sample: set the camera to 8 bits", s.depth)}
	case s.chroma != 1:
		return Passage{Why: fmt.Sprintf("the colours are coded %s: set the camera to 4:2:0", chromaNames[s.chroma&3])}
	case !s.plain:
		return Passage{Why: fmt.Sprintf("browsers do not play the profile %s: set the camera to Main, or H.264 to High",
			s.profile)}
	}
	return Passage{Passes: true}
}

var chromaNames = [4]string{"without colour (4:0:0)", "4:2:0", "4:2:2", "4:4:4"}

// maxGroup is how far apart key frames may be. Cameras that are set to 2 s are a little off.
const maxGroup = 2200 * time.Millisecond

// agree is how many groups in a row must be too long for a warning. One that lasts as long as so many is enough.
const agree = 3

// group measures how far apart key frames are, by when they were captured: a network that stalls or a robot that is
// busy changes when they arrive.
type group struct {
	last   time.Time     // the last key frame, zero if something was lost since
	length time.Duration // of the last whole group, or of the present one if it is longer by now
	long   int           // groups in a row that were too long
}

// add takes a picture that was received whole.
func (g *group) add(captured time.Time, key bool) {
	if since := captured.Sub(g.last); !g.last.IsZero() && since > 0 { // a clock that was set back says nothing
		g.measure(since, key)
	}
	if key {
		g.last = captured
	}
}

// measure takes how long the present group has lasted, and whether it has ended.
func (g *group) measure(since time.Duration, ended bool) {
	if ended || since > g.length {
		g.length = since
	}
	switch {
	case !ended:
	case since > maxGroup:
		g.long++
	default:
		g.long = 0
	}
}

// lose begins again: a key frame may be what was lost.
func (g *group) lose() { g.last = time.Time{} }

func (g *group) warning() string {
	if g.length <= maxGroup || g.long < agree && g.length <= agree*maxGroup {
		return ""
	}
	return fmt.Sprintf("key frames are %v apart or more: a loss freezes the video that long; set the camera's key frame "+
		"interval (GOP, I-frame interval) to 1 s, and turn smart codecs off (H.264+, Zipstream)",
		g.length.Round(100*time.Millisecond))
}
