package pipeline

// Restraint of an encoder that makes more than it is told.
const (
	leastShare = 0.8   // of a limit that an encoder is told
	lessShare  = 0.98  // by which that falls with each picture that had to be left out
	moreShare  = 0.002 // by which it rises with each picture that had not
)

// restraint tells an encoder less than the limit while pictures have to be left out because it makes more than it is
// told: libvpx 3 % on average. Pictures that are a little coarser are better than a picture less.
type restraint struct {
	held float64 // share of the limit that is held back
}

// left notes whether a picture had to be left out.
func (r *restraint) left(out bool) {
	if out {
		r.held = min(1-(1-r.held)*lessShare, 1-leastShare)
	} else {
		r.held = max(0, r.held-moreShare)
	}
}

// target is what the encoder is told. It changes in steps of a hundredth.
func (r *restraint) target(limit int64) int64 { return limit - limit/100*int64(100*r.held) }
