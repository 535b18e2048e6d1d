package device

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// asked is a camera that tells who called.
type asked struct {
	camerav1.UnimplementedCameraServiceServer
	by chan string
}

func (a *asked) ListFormats(ctx context.Context,
	_ *camerav1.ListFormatsRequest) (*camerav1.ListFormatsResponse, error) {
	a.by <- access.User(ctx)
	return &camerav1.ListFormatsResponse{}, nil
}

func (a *asked) SetControls(ctx context.Context,
	_ *camerav1.SetControlsRequest) (*camerav1.SetControlsResponse, error) {
	a.by <- access.User(ctx)
	return &camerav1.SetControlsResponse{}, nil
}

// withTokens starts a device whose store of tokens is in a file.
func withTokens(t *testing.T, path string, s Settings, equip ...func(*Kit)) *Process {
	t.Helper()
	s.NATS, s.AccessFile, s.State = startServer(t, embedded.Config{}).URL(), path, filepath.Dir(path)
	return start(t, kindOf(work, equip...), s)
}

func create(t *testing.T, path string, r tokens.Request) string {
	t.Helper()
	token, _, err := tokens.Create(path, r)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// forged returns a token that differs in its last character.
func forged(token string) string {
	last := "A"
	if strings.HasSuffix(token, last) {
		last = "B"
	}
	return token[:len(token)-1] + last
}

// TestRoles: who may call what over gRPC, how a refusal reads, and that it is counted and kept.
func TestRoles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	viewer := create(t, path, tokens.Request{Name: "anna", Role: roles.Viewer})
	admin := create(t, path, tokens.Request{Name: "root", Role: roles.Admin})
	own := create(t, path, tokens.Request{Name: "cam", Role: roles.Service, Device: "d"})
	other := create(t, path, tokens.Request{Name: "board", Role: roles.Service, Device: "motors"})
	elsewhere := create(t, path, tokens.Request{Name: "eve", Role: roles.Admin, Robot: "another"})
	camera := &asked{by: make(chan string, 1)}
	p := withTokens(t, path, Settings{Token: "shared-by-everybody"},
		func(k *Kit) { camerav1.RegisterCameraServiceServer(k, camera) })
	look := func(c grpc.ClientConnInterface) error {
		_, err := camerav1.NewCameraServiceClient(c).ListFormats(t.Context(), &camerav1.ListFormatsRequest{})
		return err
	}
	set := func(c grpc.ClientConnInterface) error {
		_, err := camerav1.NewCameraServiceClient(c).SetControls(t.Context(), &camerav1.SetControlsRequest{})
		return err
	}
	for name, tt := range map[string]struct {
		token string
		call  func(grpc.ClientConnInterface) error
		by    string
		code  codes.Code
		fails string
	}{
		"viewer looks":    {viewer, look, "anna", codes.OK, ""},
		"viewer sets":     {viewer, set, "", codes.PermissionDenied, "SetControls needs the role admin; anna is viewer"},
		"admin sets":      {admin, set, "root", codes.OK, ""},
		"shared sets":     {"shared-by-everybody", set, "", codes.OK, ""},
		"its service":     {own, look, "cam", codes.OK, ""},
		"another service": {other, look, "", codes.PermissionDenied, "board is the service of motors"},
		"other robot":     {elsewhere, look, "", codes.Unauthenticated, "not known here"},
		"nobody":          {"", look, "", codes.Unauthenticated, "authorization: Bearer"},
		"forged":          {forged(viewer), look, "", codes.Unauthenticated, "not known here"},
	} {
		err := tt.call(dial(t, p, tt.token))
		if status.Code(err) != tt.code || !strings.Contains(status.Convert(err).Message(), tt.fails) {
			t.Errorf("%s: %v, want %v %q", name, err, tt.code, tt.fails)
		}
		if err == nil {
			if by := <-camera.by; by != tt.by {
				t.Errorf("%s: called by %q, want %q", name, by, tt.by)
			}
		}
	}
	p.Stop() // the log is complete then
	kept, err := os.ReadFile(audit.Path(filepath.Dir(path), "r", "d"))
	for _, want := range []string{`"event":"started"`, `"event":"refused","who":"anna"`, `"role":"viewer"`,
		`"what":"/waldo.camera.v1.CameraService/SetControls","reason":"role"`, `"reason":"unknown"`} {
		if !strings.Contains(string(kept), want) {
			t.Errorf("%s is not in the audit log: %s, %v", want, kept, err)
		}
	}
}

// TestGuessesOfOneCall: a call cannot try many tokens at the price of one, nor hide a guess behind a token whose owner
// is known. What it is slowed down for is counted.
func TestGuessesOfOneCall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	good := create(t, path, tokens.Request{Name: "anna", Role: roles.Viewer})
	revoked := create(t, path, tokens.Request{Name: "ben", Role: roles.Viewer})
	if _, err := tokens.Revoke(path, "ben"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		tokens []string
		code   codes.Code
		wrong  float64
	}{
		"good":               {[]string{good}, codes.OK, 0},
		"the second is good": {[]string{"guess", good}, codes.OK, 1},
		"the first is good":  {[]string{good, "guess"}, codes.OK, 0}, // the second is not tried
		"the third is":       {[]string{"guess", "guess", good}, codes.Unauthenticated, 1},
		"hundreds":           {append(slices.Repeat([]string{"guess"}, 300), good), codes.Unauthenticated, 1},
		"revoked":            {[]string{revoked}, codes.Unauthenticated, 0},
		"a guess before it":  {[]string{"guess", revoked}, codes.Unauthenticated, 1},
		"a guess after it":   {[]string{revoked, "guess"}, codes.Unauthenticated, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := Settings{Robot: "r", Device: "d", AccessFile: path}
				g := newGuard(s, nil, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
				md := metadata.MD{}
				for _, token := range tt.tokens {
					md.Append("authorization", "Bearer "+token)
				}
				begin := time.Now()
				_, err := g.authorize(metadata.NewIncomingContext(t.Context(), md), "/a.B/C", roles.Viewer)
				slow := time.Since(begin) > 0
				if n := testutil.ToFloat64(g.wrong); status.Code(err) != tt.code || n != tt.wrong || slow != (n > 0) {
					t.Errorf("%v, %v guesses, slow %v; want %v, %v", err, n, slow, tt.code, tt.wrong)
				}
			})
		})
	}
}

// TestGuessesWithoutStore: while the store of tokens cannot be read, the shared token cannot be guessed faster.
func TestGuessesWithoutStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]codes.Code{"sixteen-or-more!": codes.OK, "sixteen-or-more?": codes.Unavailable} {
		synctest.Test(t, func(t *testing.T) {
			g := newGuard(Settings{Robot: "r", Device: "d", AccessFile: path, Token: "sixteen-or-more!"}, nil,
				slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			begin := time.Now()
			_, err := g.authorize(metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+token)),
				"/a.B/C", roles.Viewer)
			if slow := time.Since(begin) > 0; status.Code(err) != want || slow != (err != nil) {
				t.Errorf("%s: %v, slow %v", token, err, slow)
			}
		})
	}
}

// TestRevokedStream: a stream ends with its token, those of others go on, and refusals are counted.
func TestRevokedStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	anna := create(t, path, tokens.Request{Name: "anna", Role: roles.Viewer})
	ben := create(t, path, tokens.Request{Name: "ben", Role: roles.Viewer})
	p := withTokens(t, path, Settings{})
	open := func(token string) grpc.ServerStreamingClient[devicev1.WatchDeviceResponse] {
		ctx, cancel := context.WithTimeout(t.Context(), patienceOfTests)
		t.Cleanup(cancel)
		s, err := devicev1.NewDeviceServiceClient(dial(t, p, token)).WatchDevice(ctx, &devicev1.WatchDeviceRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	hers, his := open(anna), open(ben)
	if _, err := tokens.Revoke(path, "anna"); err != nil {
		t.Fatal(err)
	}
	var err error
	for err == nil {
		_, err = hers.Recv()
	}
	if s := status.Convert(err); s.Code() != codes.Unauthenticated || !strings.Contains(s.Message(), "was revoked") {
		t.Errorf("her stream ended with %v", err)
	}
	p.Kit().SetAttributes(map[string]string{"news": "yes"})
	for {
		r, err := his.Recv()
		if err != nil {
			t.Fatalf("his stream ended: %v", err)
		}
		if r.Device.Attributes["news"] == "yes" {
			break
		}
	}
	_, err = devicev1.NewDeviceServiceClient(dial(t, p, anna)).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("a call of hers: %v", err)
	}
	answer, err := http.Get("http://" + p.MetricsAddress() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(text), `waldo_device_refused_total{reason="revoked"} 1`) {
		t.Errorf("the refusal is not counted: %v", err)
	}
}

// TestFirstToken: with the first token of the store everybody has to present one, and streams without one end.
func TestFirstToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	p := withTokens(t, path, Settings{})
	w := watch(t, p)
	if _, err := w.Recv(); err != nil {
		t.Fatal(err)
	}
	create(t, path, tokens.Request{Name: "anna", Role: roles.Viewer, Expires: time.Now().Add(time.Hour)})
	var err error
	for err == nil {
		_, err = w.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("the stream ended with %v", err)
	}
}
