package embedded_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// grant makes a token.
func grant(t testing.TB, path string, request tokens.Request) string {
	t.Helper()
	token, _, err := tokens.Create(path, request)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	made := map[string]string{
		"viewer":  grant(t, path, tokens.Request{Name: "Ann", Role: roles.Viewer}),
		"driver":  grant(t, path, tokens.Request{Name: "Ben", Role: roles.Driver}),
		"admin":   grant(t, path, tokens.Request{Name: "Cat", Role: roles.Admin}),
		"service": grant(t, path, tokens.Request{Name: "Dan", Role: roles.Service, Device: "motors"}),
	}
	r := startRover(t, tokens.Open(path))
	for _, name := range []string{"front", "motors", "voice"} {
		serve(t, r.as(t, name, nil), name)
	}
	ask := func(c *bus.ConnCloser, device string) codes.Code {
		client := devicev1.NewDeviceServiceClient(c.Client(bus.Address{Robot: "rover", Device: device}))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := client.GetDevice(ctx, &devicev1.GetDeviceRequest{})
		return status.Code(err)
	}
	for name, token := range made {
		c := connect(t, bus.Config{URL: r.URL(), Token: token})
		want := codes.OK
		if name == "service" {
			want = codes.PermissionDenied
		}
		if got := ask(c, "front"); got != want {
			t.Errorf("%s asks the camera: %v", name, got)
		}
		if got := ask(c, "motors"); got != codes.OK {
			t.Errorf("%s asks the motors: %v", name, got)
		}
		if name != "service" {
			findThree(t, c, name)
		}
		_, err := c.Keep(t.Context(), bus.Address{Robot: "rover", Device: "front"}.Out(name), "g", 1<<20)
		if (err == nil) != (name == "admin") || err != nil && !errors.Is(err, bus.ErrRefused) {
			t.Errorf("%s has messages kept: %v", name, err)
		}
		sub, err := bus.Subscribe[*devicev1.Device](c.Conn, "_INBOX.>", stream.Latest())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		sub.Close()
	}
	if n := r.log.count(`subject=_INBOX.>`); n != 3 {
		t.Errorf("%d of 3 were kept from reading the answers of others", n)
	}
	r.Close()
	r.audit.Close()
	kept, err := os.ReadFile(r.kept)
	for _, want := range []string{
		`"event":"refused","who":"Ann","token":"` + strings.Split(made["viewer"], "_")[1] +
			`","role":"viewer","what":"subscribe _INBOX.\u003e","reason":"bus"`,
		`"event":"refused","who":"Dan"`,
	} {
		if err != nil || !strings.Contains(string(kept), want) {
			t.Errorf("the audit log lacks %s: %s, %v", want, kept, err)
		}
	}
}

// findThree waits until somebody finds the devices. Who looks waits a quarter of a second for those who answer, which
// is not enough for all of them on a busy machine.
func findThree(t *testing.T, c *bus.ConnCloser, who string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		found, err := c.Devices(t.Context())
		if err == nil && len(found) == 3 {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%s finds %v, %v", who, found, err)
		}
	}
}

// TestRevoke: a token that is revoked, or expires, ends its connection.
func TestRevoke(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	revoked := grant(t, path, tokens.Request{Name: "Ann", Role: roles.Viewer})
	stays := grant(t, path, tokens.Request{Name: "Cat", Role: roles.Viewer})
	r := startRover(t, tokens.Open(path))
	ended := map[string]chan struct{}{}
	try := func(token string) (*nats.Conn, error) {
		gone := make(chan struct{})
		nc, err := nats.Connect(r.URL(), nats.Token(token), nats.NoReconnect(), nats.Timeout(patience),
			nats.ClosedHandler(func(*nats.Conn) { close(gone) }))
		if err == nil {
			ended[token] = gone
			t.Cleanup(nc.Close)
		}
		return nc, err
	}
	open := func(token string) *nats.Conn {
		nc, err := try(token)
		if err != nil {
			t.Fatal(err)
		}
		return nc
	}
	open(revoked)
	last := open(stays)
	short := expiring(t, path, func(token string) error {
		_, err := try(token)
		return err
	})
	if _, err := tokens.Revoke(path, "Ann"); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{revoked, short} {
		select {
		case <-ended[token]:
		case <-time.After(patience):
			t.Fatal("a connection outlives its token")
		}
		if nc, err := nats.Connect(r.URL(), nats.Token(token)); err == nil {
			nc.Close()
			t.Error("the token still opens the bus")
		}
	}
	if err := last.Flush(); err != nil {
		t.Error("another was cut off, too:", err)
	}
}

// expiring makes a token that expires soon, but not before it has been used once: a busy machine gets another try, with
// one that lives longer. The server refuses one that expires while it connects with "authentication expired".
func expiring(t *testing.T, path string, use func(token string) error) string {
	t.Helper()
	for life := 2 * time.Second; ; life *= 2 {
		token := grant(t, path, tokens.Request{Name: "expires after " + life.String(), Role: roles.Viewer,
			Expires: time.Now().Add(life)})
		err := use(token)
		switch {
		case err == nil:
			return token
		case life > patience:
			t.Fatalf("a token is not taken within %v: %v", life, err)
		}
	}
}

// TestFirstToken: with the first token in the store, who came without one has to go.
func TestFirstToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	s := start(t, embedded.Config{Tokens: tokens.Open(path)})
	gone := make(chan struct{})
	nc, err := nats.Connect(s.URL(), nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(gone) }))
	if err != nil {
		t.Fatal("without any token nobody needs one:", err)
	}
	defer nc.Close()
	token := grant(t, path, tokens.Request{Name: "Ann", Role: roles.Admin})
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("who has no token is still there")
	}
	connect(t, bus.Config{URL: s.URL(), Token: token})
}

// TestManyConnections: what is remembered of connections that have ended does not grow.
func TestManyConnections(t *testing.T) {
	r := startRover(t, nil)
	for range 300 {
		nc, err := nats.Connect(r.URL(), nats.Token(shared), nats.Timeout(patience))
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
	}
	if n := embedded.Remembered(r.Server); n > 200 {
		t.Errorf("%d connections are remembered", n)
	}
}

// TestServiceDeletesNothing: a caller names a command of JetStream as the place for its answer. An answer
// without fields is an empty message, which deletes a stream there.
func TestServiceDeletesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	viewer := grant(t, path, tokens.Request{Name: "Ann", Role: roles.Viewer})
	r := startRover(t, tokens.Open(path))
	serve(t, r.as(t, "front", nil), "front")
	js, err := r.admin(t).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "kept", Subjects: []string{"kept"}, Storage: nats.MemoryStorage,
		MaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	id := strings.Split(viewer, "_")[1]
	nc, err := nats.Connect(r.URL(), nats.Token(viewer), nats.Timeout(patience),
		nats.CustomInboxPrefix(bus.InboxPrefix(id)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	call := bus.Address{Robot: "rover", Device: "front"}.RPC("waldo.device.v1.DeviceService", "Acknowledge")
	if err := nc.PublishRequest(call, "$JS.API.STREAM.DELETE.kept", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Request(call, nil, patience); err != nil { // answered after the other would have been
		t.Fatal(err)
	}
	if _, err := js.StreamInfo("kept"); err != nil {
		t.Errorf("a viewer has had the camera delete a stream: %v", err)
	}
}

// TestOwnMethods: the server does not know what methods of kinds of one's own need, so only an admin calls them,
// besides processes that name the device under `may:`.
func TestOwnMethods(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	r := startRover(t, tokens.Open(path))
	call := bus.Address{Robot: "rover", Device: "front"}.RPC("plants.v1.PlantService", "Water")
	for _, role := range roles.All() {
		request := tokens.Request{Name: role.String(), Role: role}
		if role == roles.Service {
			request.Device = "front"
		}
		nc, err := nats.Connect(r.URL(), nats.Token(grant(t, path, request)), nats.Timeout(patience),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		if got := allowed(t, nc, func() error { return nc.Publish(call, nil) }); got != (role == roles.Admin) {
			t.Errorf("%v calls it: %v", role, got)
		}
	}
}
