package steer

import "time"

// version is what a viewer gets of a stream.
type version int

const (
	whole version = iota // the stream
	small                // its small version
	keys                 // the key frames of the small version, or of the stream where there is none
)

const (
	// A path that carries less than tooLittle of a stream's bit rate for giveUp does not fit, one that carries more than
	// comeBack for comeBackAfter does again.
	tooLittle = 0.6
	giveUp    = 2 * time.Second
	// Below farTooLittle it is hopeless, and given up sooner: who misses pictures asks for key frames, which cost all.
	farTooLittle  = 0.35
	giveUpSoon    = 500 * time.Millisecond
	comeBack      = 1.3
	comeBackAfter = 10 * time.Second
	// keysBelow is the bit rate below which a path carries key frames only.
	keysBelow = 120_000
	// lull is how long a path may seem to fit amid a time in which it does not.
	lull = 500 * time.Millisecond
)

// fitting is what decides which version fits a viewer.
type fitting struct {
	share    int64 // of the path, in bit/s; 0 if not known
	main     int64 // the bit rate of the stream; 0 if not known
	small    bool  // there is a small version
	strained bool  // the path carries more than it can for long
}

// fit is which version of a stream fits a viewer. It changes rarely: each change costs a key frame.
type fit struct {
	version version
	worse   spell // in which the version does not fit
	better  spell // in which the next better one would
}

// step returns the version that fits from now on.
func (f *fit) step(now time.Time, x fitting) version {
	if f.version == small && !x.small {
		*f = fit{}
	}
	if x.share == 0 {
		f.worse, f.better = spell{}, spell{}
		return f.version
	}
	worse, next := x.worse(f.version)
	better, previous := x.better(f.version)
	switch {
	case f.worse.lasts(now, worse, lull) >= x.patience(f.version):
		*f = fit{version: next}
	case f.better.lasts(now, better, 0) >= comeBackAfter:
		*f = fit{version: previous}
	}
	return f.version
}

// worse reports whether a version does not fit, and the one that comes after it.
func (x fitting) worse(v version) (bool, version) {
	share, main := float64(x.share), float64(x.main)
	if v == whole && x.small {
		return share < tooLittle*main || share < main && x.strained, small
	}
	return v != keys && share < keysBelow, keys
}

// patience is how long a version is tried that does not fit.
func (x fitting) patience(v version) time.Duration {
	if v == whole && x.small && float64(x.share) < farTooLittle*float64(x.main) {
		return giveUpSoon
	}
	return giveUp
}

// better reports whether there is room for the version that comes before one. A stream that has no more than a small
// version may have needs none.
func (x fitting) better(v version) (bool, version) {
	share, main := float64(x.share), float64(x.main)
	switch {
	case v == small:
		return x.main > 0 && (share > comeBack*main || main <= maxSmall && share >= main), whole
	case v == keys && x.small:
		return share > comeBack*minSmall, small
	case v == keys:
		return share > comeBack*max(main, minSmall), whole
	}
	return false, v
}

// spell is a time in which something holds.
type spell struct{ began, last time.Time }

// lasts returns for how long something has held, except for interruptions no longer than lull.
func (s *spell) lasts(now time.Time, holds bool, lull time.Duration) time.Duration {
	if holds {
		if s.began.IsZero() {
			s.began = now
		}
		s.last = now
	} else if s.began.IsZero() || now.Sub(s.last) > lull {
		*s = spell{}
		return 0
	}
	return s.last.Sub(s.began)
}
