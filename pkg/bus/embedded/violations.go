package embedded

import (
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/waldo-robot/waldo/pkg/audit"
)

// maxViolations bounds how many violations are logged.
const maxViolations = 500

// violations is the log of the NATS server, of which it keeps who did what they may not do: each once. The process that
// was refused logs it, too, unless it is up to no good. It implements [server.Logger].
type violations struct {
	gate *gate
	log  *slog.Logger
	next server.Logger // gets all lines, too; nil for none

	mu    sync.Mutex
	known map[string]bool
}

var violation = regexp.MustCompile(`^\S* - cid:(\d+)(?: .*?)? - (Publish|Subscription) Violation - Subject ("(?:[^"\\]|\\.)*")`)

// Errorf implements [server.Logger].
func (v *violations) Errorf(format string, args ...any) {
	if v.next != nil {
		v.next.Errorf(format, args...)
	}
	id, action, subject, ok := parseViolation(format, args)
	if !ok {
		return
	}
	by := v.gate.whoIs(id)
	if by.name == "" {
		return
	}
	v.gate.audit.Write(audit.Event{Kind: audit.Refused, Who: by.name, Token: by.grant.ID, Role: by.role(),
		What: action + " " + subject, Reason: "bus"})
	if v.isNew(by.name + " " + action + " " + subject) {
		v.log.Warn("refused on the bus", "who", by.name, "action", action, "subject", subject)
	}
}

// parseViolation reads a line of the server's log. The format has in it what the client calls itself, so it is not used
// as one.
func parseViolation(format string, args []any) (id uint64, action, subject string, ok bool) {
	line, verb := format, "%q"
	if len(args) == 1 && strings.HasSuffix(format, verb) {
		line = strings.TrimSuffix(format, verb) + fmt.Sprintf(verb, args[0])
	}
	found := violation.FindStringSubmatch(line)
	if found == nil {
		return 0, "", "", false
	}
	id, err := strconv.ParseUint(found[1], 10, 64)
	subject, bad := strconv.Unquote(found[3])
	return id, map[string]string{"Publish": "publish", "Subscription": "subscribe"}[found[2]], subject, err == nil &&
		bad == nil
}

func (v *violations) isNew(key string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known[key] || len(v.known) >= maxViolations {
		return false
	}
	if v.known == nil {
		v.known = map[string]bool{}
	}
	v.known[key] = true
	return true
}

// Noticef implements [server.Logger].
func (v *violations) Noticef(format string, args ...any) {
	if v.next != nil {
		v.next.Noticef(format, args...)
	}
}

// Warnf implements [server.Logger].
func (v *violations) Warnf(format string, args ...any) {
	if v.next != nil {
		v.next.Warnf(format, args...)
	}
}

// Fatalf implements [server.Logger].
func (v *violations) Fatalf(format string, args ...any) {
	if v.next != nil {
		v.next.Fatalf(format, args...)
	}
}

// Debugf implements [server.Logger].
func (*violations) Debugf(string, ...any) {}

// Tracef implements [server.Logger].
func (*violations) Tracef(string, ...any) {}
