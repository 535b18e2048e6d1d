package tracks

import "time"

// Path is the path that the packets of a connection take: one for all its tracks.
type Path interface {
	Ledger
	Link
	Room
}

// Ledger takes note of what is sent, with its bytes on the network.
type Ledger interface {
	// Number takes note of a packet and returns its transport-wide sequence number.
	Number(bytes int, now time.Time) uint16
	// Again takes note that the packet with a number is sent again, unchanged.
	Again(number uint16, bytes int, now time.Time)
	// Sent takes note of a packet that has no such number.
	Sent(bytes int, now time.Time)
}

// Link tells what a path is like.
type Link interface {
	// RoundTrip is the round trip of the path; 0 if it is not known yet.
	RoundTrip() time.Duration
	// Queue is how long packets wait in queues on the path; 0 if that is not known.
	Queue() time.Duration
	// Became tells whether the packet with a number has arrived, and whether that is settled.
	Became(number uint16) (arrived, settled bool)
}

// Room tells what may be sent now.
type Room interface {
	// Full reports whether more is on its way than the path takes.
	Full() bool
	// Changed returns a channel that is closed when that may have changed.
	Changed() <-chan struct{}
	// Burst is how fast the packets of a large picture may follow each other, in bit/s; 0: nothing is known against
	// sending them at once.
	Burst() int64
}

// unknown is a path that nobody watches.
type unknown struct{}

func (unknown) Number(int, time.Time) uint16 { return 0 }
func (unknown) Again(uint16, int, time.Time) {}
func (unknown) Sent(int, time.Time)          {}
func (unknown) RoundTrip() time.Duration     { return 0 }
func (unknown) Queue() time.Duration         { return 0 }
func (unknown) Became(uint16) (_, _ bool)    { return false, false }
func (unknown) Full() bool                   { return false }
func (unknown) Changed() <-chan struct{}     { return nil }
func (unknown) Burst() int64                 { return 0 }
