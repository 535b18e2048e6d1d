package repair

// Verdict is the answer to a request for a packet.
type Verdict int

// What becomes of a request.
const (
	Send       Verdict = iota // the packet is sent again
	Recent                    // a copy is under way
	Often                     // it was sent again often enough
	Superseded                // the viewer goes on at a newer key frame
	Late                      // too old to be shown, or no longer kept
	Spent                     // the budget is spent
	Queued                    // the path has more than it can carry
	Unknown                   // it was never sent
	Flood                     // there were too many requests to look at this one
)

var names = [...]string{"send", "recent", "often", "superseded", "late", "spent", "queued", "unknown", "flood"}

// String returns the name of the verdict in metrics.
func (v Verdict) String() string { return names[v] }

// Refusals are all verdicts but Send.
func Refusals() []Verdict {
	return []Verdict{Recent, Often, Superseded, Late, Spent, Queued, Unknown, Flood}
}
