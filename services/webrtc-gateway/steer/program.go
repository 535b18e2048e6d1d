package steer

import (
	"math"
	"slices"
	"time"
)

// decider is who sets the bit rate of a stream.
type decider int

const (
	byNobody decider = iota // whose path is known
	byViewers
	byDriver
)

// vote is what one viewer says about a stream.
type vote struct {
	reading Reading
	share   int64 // of the path, in bit/s; 0 if not known
	decides bool  // before others
}

// program is a stream of a camera and its small version.
type program struct {
	configured int64 // the bit rate without any limit; 0 if not known
	measured   int64 // what came of it lately; likewise
	fixed      bool  // its camera takes no limits
	target     int64 // the limit of the bit rate; 0: none
	by         decider
	glide      glide
	paused     bool // nothing is to be encoded
	votes      []vote

	smallVotes  []vote
	smallTarget int64     // 0 before the first viewer
	smallNeeded time.Time // when somebody last had the small version
}

// unknown is the share of a path that nobody has measured: nothing speaks against it.
const unknown = math.MaxInt64

// aim sets the target from the votes.
func (s *program) aim(now time.Time) {
	s.paused = slices.ContainsFunc(s.votes, func(v vote) bool { return v.reading.Full && s.follows(v) })
	if s.fixed {
		s.by, s.target, s.glide = byNobody, 0, glide{}
		return
	}
	by, share := s.choose()
	if share == 0 {
		return // nobody reports: as it was
	}
	switch before := s.rate(); {
	case by == byDriver:
		s.glide = glide{}
	case s.by == byDriver:
		s.glide = glide{from: before, began: now}
	}
	s.by = by
	s.target = s.limit(s.glide.at(now, s.wanted(share)))
}

// wanted is the bit rate for a share of a path; 0 if that is not known.
func (s *program) wanted(share int64) int64 {
	if share == unknown {
		return s.configured
	}
	rate := max(int64(usable*float64(share)), minRate)
	if s.configured > 0 {
		return min(rate, s.configured)
	}
	return rate
}

// limit turns a bit rate into a target.
func (s *program) limit(rate int64) int64 {
	if rate == s.configured {
		return 0
	}
	return rate
}

// follows reports whether the stream has the bit rate that fits a viewer.
func (s *program) follows(v vote) bool { return !s.fixed && (v.decides || len(s.votes) == 1) }

// choose returns who decides, and their share of their path: unknown if nothing is known against it, 0 if nobody
// reports at present.
func (s *program) choose() (decider, int64) {
	share, drives := int64(unknown), false
	for _, v := range s.votes {
		if v.decides {
			drives = true
			share = min(share, v.known())
		}
	}
	if drives {
		return byDriver, share
	}
	return s.chooseLow()
}

// chooseLow is choose when nobody drives.
func (s *program) chooseLow() (decider, int64) {
	var shares []int64
	for _, v := range s.votes {
		if v.reading.Healthy || v.share == 0 {
			shares = append(shares, v.known())
		}
	}
	if len(shares) == 0 {
		if len(s.votes) == 0 {
			return byNobody, unknown
		}
		return byNobody, 0
	}
	low := lower(shares)
	if low == unknown {
		return byNobody, unknown
	}
	return byViewers, low
}

// known is the share of the path that can be counted on.
func (v vote) known() int64 {
	if v.share == 0 {
		return unknown
	}
	return v.share
}

// lower returns the lower quartile of shares, but never the least of several. It sorts them.
func lower(shares []int64) int64 {
	slices.Sort(shares)
	at := int(percentile * float64(len(shares)))
	return shares[min(max(at, 1), len(shares)-1)]
}

// aimSmall sets the target of the small version.
func (s *program) aimSmall(now time.Time) {
	if len(s.smallVotes) == 0 {
		return
	}
	s.smallNeeded = now
	shares := make([]int64, len(s.smallVotes))
	for i, v := range s.smallVotes {
		shares[i] = v.known()
	}
	s.smallTarget = int64(min(max(usable*float64(lower(shares)), minSmall), maxSmall))
}

// smallHeld reports whether there should be a small version.
func (s *program) smallHeld(now time.Time) bool {
	return !s.smallNeeded.IsZero() && now.Sub(s.smallNeeded) < smallPatience
}

// rate is the bit rate that the stream has with its target; 0 if that is not known.
func (s *program) rate() int64 {
	switch {
	case s.target > 0:
		return s.target
	case s.configured > 0:
		return s.configured
	}
	return s.measured
}

// full is what a path has to carry for the stream to have all of its bit rate.
func (s *program) full() int64 {
	switch {
	case s.configured > 0:
		return int64(float64(s.configured) / usable)
	case s.rate() > 0:
		return 2 * s.rate() // as much as can be hoped for
	}
	return maxRate
}

// glide lets a bit rate change over some time. The zero value lets it change at once.
type glide struct {
	from  int64
	began time.Time
}

// at returns the bit rate at some time on the way to one.
func (g *glide) at(now time.Time, to int64) int64 {
	gone := now.Sub(g.began)
	if g.from == 0 || to == 0 || gone >= glideTime {
		*g = glide{}
		return to
	}
	return int64(float64(g.from) * math.Pow(float64(to)/float64(g.from), max(0, gone.Seconds())/glideTime.Seconds()))
}
