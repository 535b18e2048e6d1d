package audit

import (
	"time"

	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/text"
)

// Kind says what happened.
type Kind string

// The kinds of events.
const (
	// Started: a process began, for the first time or again. Reason says which program it is, and its version.
	Started Kind = "started"
	// Login: somebody showed a good token where a session begins: a browser, a WebSocket.
	Login Kind = "login"
	// Ended: a session was ended because of its token. Reason says why.
	Ended Kind = "session_ended"
	// Refused: a token or its role was not enough for something. What says for what, Reason why.
	Refused Kind = "refused"
	// Restarted, Upgraded and Reloaded: somebody had the launcher do so. What is the process; of a reload, Reason says
	// what it changed.
	Restarted Kind = "restarted"
	Upgraded  Kind = "upgraded"
	Reloaded  Kind = "reloaded"
	// LeaseAcquired, LeaseTaken and LeaseEnded are about who may drive a device. Who held a lease that was taken is in
	// Reason; so is why one ended.
	LeaseAcquired Kind = "lease_acquired"
	LeaseTaken    Kind = "lease_taken"
	LeaseEnded    Kind = "lease_ended"
	// EStop and EStopCleared: a latched stop began and ended. Reason is what was given.
	EStop        Kind = "e_stop"
	EStopCleared Kind = "e_stop_cleared"
	// TokenCreated and TokenRevoked: the tokens of the robot were changed. What is the id of the token.
	TokenCreated Kind = "token_created"
	TokenRevoked Kind = "token_revoked"
	// RecordingStarted and RecordingStopped: what is produced was recorded from then on, or until then. What is the first
	// file of the recording, Reason why.
	RecordingStarted Kind = "recording_started"
	RecordingStopped Kind = "recording_stopped"
	// RecordingFinished and RecordingRepaired: a file of a recording is complete, or was made so after it was left open.
	// What is the file, Folder where it was then, SHA256 its content. Reason is given if it was complete before.
	RecordingFinished Kind = "recording_finished"
	RecordingRepaired Kind = "recording_repaired"
	// RecordingDeleted: a recording was deleted with all its files, by somebody or to make room. What is its name.
	RecordingDeleted Kind = "recording_deleted"
)

// maxText bounds each text of an event in bytes.
const maxText = 256

// Event is one line of the log. Fields that do not apply are empty.
type Event struct {
	Kind Kind `json:"event"`
	// Who is the name of the token, or, where no token says more, what the one who acts is called.
	Who string `json:"who,omitempty"`
	// Token is the id of the token, Role its role.
	Token string `json:"token,omitempty"`
	Role  string `json:"role,omitempty"`
	// From is the address of the client, host:port or host.
	From string `json:"from,omitempty"`
	// Device is what it concerns.
	Device string `json:"device,omitempty"`
	// What is a method, a route, or the id of what was changed.
	What   string `json:"what,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Folder is where a file is, as an absolute path.
	Folder string `json:"folder,omitempty"`
	// SHA256 is that of a file, in hexadecimal digits.
	SHA256 string `json:"sha256,omitempty"`
}

// By returns the event with the owner of a token as who caused it.
func (e Event) By(g tokens.Grant) Event {
	e.Who, e.Token = g.Name, g.ID
	if g.Name != "" {
		e.Role = g.Role.String()
	}
	return e
}

// bounded returns the event with texts that fit a line.
func (e Event) bounded() Event {
	for _, t := range []*string{&e.Who, &e.Token, &e.Role, &e.From, &e.Device, &e.What, &e.Reason, &e.Folder, &e.SHA256} {
		*t = bound(*t)
	}
	return e
}

func bound(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return text.Printable(s)
}

// line is an event as it is written.
type line struct {
	Time   time.Time `json:"time"`
	Number int64     `json:"n"`
	// Previous is the hash of the line before; see the package comment. Lines of older versions have none.
	Previous string `json:"prev,omitempty"`
	Event
	// Lost is how many events before this one could not be written.
	Lost int64 `json:"lost,omitempty"`
	// Similar is how many refusals of the same kind were left out before this one.
	Similar int64 `json:"similar,omitempty"`
}
