package media

// Resync decides which frames of an encoded stream may be passed to a decoder. A decoder that misses one
// frame shows garbage until the next key frame, so after a gap in the sequence, or after a restart of
// the producer (a new epoch), frames are held back until a key frame comes. The zero value is ready to
// use, and waits for a key frame first.
type Resync struct {
	epoch   int64
	next    int64 // sequence that continues the stream
	synced  bool  // frames up to next were delivered without a gap since a key frame
	seen    bool  // epoch and next are valid
	missed  uint64
	skipped uint64
}

// Accept records a frame and reports whether to deliver it. A frame that comes a second time, or after a
// later one of the same epoch, is never delivered and changes nothing else.
func (r *Resync) Accept(epoch, seq int64, key bool) (deliver bool) {
	switch {
	case !r.seen || epoch != r.epoch:
		r.synced = false
	case seq < r.next:
		r.skipped++
		return false
	case seq > r.next:
		r.missed += uint64(seq - r.next)
		r.synced = false
	}
	r.seen, r.epoch, r.next = true, epoch, seq+1
	if key {
		r.synced = true
	}
	if !r.synced {
		r.skipped++
	}
	return r.synced
}

// Lose holds back frames up to the next key frame even without a gap in the sequence, for example because the codec has
// changed.
func (r *Resync) Lose() { r.synced = false }

// Synced reports whether the next frame may be passed on although it is no key frame, if none is missing before it.
func (r *Resync) Synced() bool { return r.synced }

// Skipped is the number of frames that arrived but were not delivered.
func (r *Resync) Skipped() uint64 { return r.skipped }

// Missed is the number of frames that never arrived, counted by the gaps in their sequence.
func (r *Resync) Missed() uint64 { return r.missed }
