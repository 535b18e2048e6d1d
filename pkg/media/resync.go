package media

// Resync decides which frames of an encoded stream a decoder may be given. A decoder that misses one frame shows rubbish
// until the next key frame, so after a gap in the sequence, or when the producer restarted (a new epoch), frames are held
// back until a key frame comes. The zero value is ready, and wants a key frame first.
//
// A reader asks the producer for a key frame whenever NeedKey reports true after Accept.
type Resync struct {
	epoch   int64
	next    int64 // sequence that continues the stream
	synced  bool  // frames up to next were delivered without a gap since a key frame
	seen    bool  // epoch and next mean something
	missed  uint64
	skipped uint64
}

// Accept takes note of a frame and reports whether to deliver it. A frame that comes a second time, or after a later one of
// the same epoch, is never delivered and changes nothing else.
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

// NeedKey reports whether nothing but a key frame can be delivered next.
func (r *Resync) NeedKey() bool { return !r.synced }

// Skipped is the number of frames that came and were not delivered.
func (r *Resync) Skipped() uint64 { return r.skipped }

// Missed is the number of frames that never came, by the gaps in their sequence.
func (r *Resync) Missed() uint64 { return r.missed }
