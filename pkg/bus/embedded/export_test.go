package embedded

import "time"

// Remembered is how many connections the server remembers.
func Remembered(s *Server) int {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	return len(s.gate.admitted)
}

// ParseViolation is parseViolation, for fuzzing.
func ParseViolation(format string, args ...any) (id uint64, action, subject string, ok bool) {
	return parseViolation(format, args)
}

// EncryptedOrLocal is for tests.
var EncryptedOrLocal = encryptedOrLocal

// Complaints are complaints, and MaxTold how many there are at most.
type Complaints = complaints

const MaxTold = maxTold

// Due is complaints.due.
func Due(c Complaints, problem string, now time.Time) bool { return c.due(problem, now) }

// Problem is what a robot's log says after the server has said this about its link to a hub.
func Problem(l *Leaf, text string) string {
	k := &link{leaf: l}
	said{k}.Errorf("%s", text)
	_, problem := k.state()
	return problem
}
