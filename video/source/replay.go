package source

import "time"

// Replay is what a picture of a recording has besides. The Time of its frame is when the replay reached its place.
type Replay struct {
	Captured time.Time // when it was captured, as readers are told
	Epoch    int64     // as readers are told; not 0. A new one begins with a key frame, or with a Lead
	// Lead is what the first picture of an epoch depends on, a key frame first: it is decoded, and not shown. Its frames
	// have the media type and the size of the picture, and a Replay without a Lead.
	Lead []Frame
	// Again says that this is the picture that was delivered last, for those who have come since: the replay stands still.
	Again bool
}

// Begins reports whether a decoder can begin with a frame, or with what comes along with it.
func (f Frame) Begins() bool { return f.Key || f.Replay != nil && len(f.Replay.Lead) > 0 }
