package playout

// enough is how many pictures with the delay a player must have had on the way before one of them is sure to have
// arrived, although some packets were lost.
const enough = 30

// Notice knows whether a player was told its delay. The zero value has told nothing.
type Notice struct {
	delay Delay
	known bool // the player has it
	told  int  // pictures that were sent with it
	// The first picture that was sent with it, or after one that was lost.
	waiting bool
	number  uint16 // transport-wide
	seq     uint16
}

// Tell returns whether a picture carries the delay. One that must always does.
func (n *Notice) Tell(d Delay, must bool) bool {
	if d != n.delay {
		*n = Notice{delay: d}
	}
	return must || !n.known
}

// Told notes the sequence number, and the transport-wide number if there is one, of the packet that carried the delay.
func (n *Notice) Told(seq, number uint16) {
	if n.known {
		return
	}
	n.told++
	if !n.waiting {
		n.waiting, n.seq, n.number = true, seq, number
	}
}

// Ask asks whether the packet with a transport-wide number has arrived, if an answer is of use; settled says that there
// is nothing to wait for.
func (n *Notice) Ask(became func(number uint16) (arrived, settled bool)) {
	if n.known || !n.waiting {
		return
	}
	arrived, settled := became(n.number)
	n.known = arrived
	n.waiting = !settled // of what is lost, the next one is asked about
}

// Report takes a receiver report, of players that do not report each packet: the highest sequence number that arrived,
// and whether all arrived since the report before.
func (n *Notice) Report(highest uint16, complete bool) {
	if n.known || !n.waiting || int16(highest-n.seq) < 0 {
		return
	}
	n.known = complete || n.told >= enough
}
