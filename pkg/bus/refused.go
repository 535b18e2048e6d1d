package bus

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// ErrRefused is wrapped by the errors of what the server does not allow this connection. See package permissions.
var ErrRefused = errors.New("the bus does not allow it")

// remedy is what to do about it.
const remedy = "use a token with a role that may (waldo token), or, for a device, name it under `may:` in robot.yaml; " +
	"methods of kinds of your own are called over gRPC or through the gateway"

// maxRefusals bounds how many subjects are logged as refused.
const maxRefusals = 100

// InboxPrefix begins the subjects of answers for somebody: the public key of a process, or the id of a token. Nobody
// else can subscribe them.
func InboxPrefix(user string) string { return "_INBOX." + user }

// inbox has answers come to the subjects of a user.
func inbox(user string) nats.Option { return nats.CustomInboxPrefix(InboxPrefix(user)) }

var namedToken = regexp.MustCompile(`^waldo_([a-z2-7]{1,64})_[A-Z2-7]+$`)

// isTokenID matches the id of a token. The public key of a process has capitals.
var isTokenID = regexp.MustCompile(`^[a-z2-7]{1,64}$`)

// tokenID returns the id of a token that has one; see package tokens. The single token of a robot has none: its holder
// may read everything anyway.
func tokenID(token string) (id string, ok bool) {
	found := namedToken.FindStringSubmatch(token)
	if found == nil {
		return "", false
	}
	return found[1], true
}

// refusals know what the server has refused, and who waits for an answer to it. It is safe for concurrent use.
type refusals struct {
	mu      sync.Mutex
	known   map[string]bool // what was logged
	waiting []*waiting
}

// waiting is a call that is pointless once a subject is refused.
type waiting struct {
	subject string
	abort   func()
}

// watch has abort called when a subject is refused, or one that begins so if it ends with a dot, until stop is called.
func (r *refusals) watch(subject string, abort func()) (stop func()) {
	w := &waiting{subject, abort}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, w)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if i := slices.Index(r.waiting, w); i >= 0 {
			r.waiting = slices.Delete(r.waiting, i, i+1)
		}
	}
}

// note aborts who waits in vain, and reports whether the refusal is new.
func (r *refusals) note(action, subject string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.waiting {
		if action == actionPublish && (w.subject == subject ||
			strings.HasSuffix(w.subject, ".") && strings.HasPrefix(subject, w.subject)) {
			w.abort()
		}
	}
	key := action + " " + subject
	if r.known[key] || len(r.known) >= maxRefusals {
		return false
	}
	if r.known == nil {
		r.known = map[string]bool{}
	}
	r.known[key] = true
	return true
}

// refused deals with an error that says that the server does not allow something, and reports whether it is one. It is
// logged once for each subject.
func (c *Conn) refused(err error) bool {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return false
	}
	action, subject, ok := refusal(err.Error())
	if !ok {
		return false
	}
	c.metrics.refused.WithLabelValues(action).Inc()
	if c.refusals.note(action, subject) {
		c.say(slog.LevelError, "the bus does not allow this process to "+action, "subject", subject, "remedy", remedy)
	}
	return true
}

// What can be refused.
const (
	actionPublish   = "publish"
	actionSubscribe = "subscribe"
)

var violation = regexp.MustCompile(`(?i)permissions violation for (publish|subscription) to ("(?:[^"\\]|\\.)*")`)

// refusal reads what the server says about something it does not allow.
func refusal(text string) (action, subject string, ok bool) {
	found := violation.FindStringSubmatch(text)
	if found == nil {
		return "", "", false
	}
	subject, err := strconv.Unquote(found[2])
	if err != nil {
		return "", "", false
	}
	if strings.EqualFold(found[1], actionPublish) {
		return actionPublish, subject, true
	}
	return actionSubscribe, subject, true
}

// orRefused returns a context that ends, with [ErrRefused] as its cause, when a subject that begins so is refused.
func (c *Conn) orRefused(ctx context.Context, prefix string) (context.Context, func()) {
	ctx, abort := context.WithCancelCause(ctx)
	stop := c.refusals.watch(prefix, func() { abort(ErrRefused) })
	return ctx, func() {
		stop()
		abort(nil)
	}
}
