package device

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	_ "github.com/waldo-robot/waldo/pkg/bus/permissions" // links the definitions of all services
)

// noStream is a stream on which nothing comes.
type noStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s noStream) Context() context.Context { return s.ctx }

// documented reads from docs/roles.md what each method needs.
func documented(t *testing.T) map[string]roles.Role {
	t.Helper()
	text, err := os.ReadFile("../../docs/roles.md")
	if err != nil {
		t.Fatal(err)
	}
	needs := map[string]roles.Role{}
	rows := regexp.MustCompile("(?m)^\\| `(waldo[^`]*/[^`]*)` \\| (\\w+) \\|$")
	for _, row := range rows.FindAllStringSubmatch(string(text), -1) {
		if needs[row[1]], err = roles.Parse(row[2]); err != nil {
			t.Fatal(err)
		}
	}
	return needs
}

// TestAttackMethods: everybody calls every method of every service over gRPC. The roles are those of docs/roles.md, so
// a method that is new, or needs another role than before, fails here.
func TestAttackMethods(t *testing.T) {
	needs := documented(t)
	seen := 0
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			if !strings.HasPrefix(string(service.FullName()), "waldo.") {
				continue
			}
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				name := string(service.FullName()) + "/" + string(m.Name())
				need, ok := needs[name]
				if !ok {
					t.Errorf("docs/roles.md does not have %s", name)
					continue
				}
				seen++
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { attackMethod(t, "/"+name, m, need) }) // who guesses waits
				})
			}
		}
		return true
	})
	if seen != len(needs) {
		t.Errorf("docs/roles.md has %d methods, and %d are linked here", len(needs), seen)
	}
}

// attackMethod calls a method with each kind of token.
func attackMethod(t *testing.T, method string, m protoreflect.MethodDescriptor, need roles.Role) {
	path := filepath.Join(t.TempDir(), "access.json")
	ranks := []roles.Role{roles.Viewer, roles.Driver, roles.Operator, roles.Admin}
	holds, presented := map[string]roles.Role{"nobody": roles.None}, map[string]string{}
	for _, role := range ranks {
		holds[role.String()], presented[role.String()] = role,
			create(t, path, tokens.Request{Name: role.String(), Role: role})
	}
	admin, viewer := presented["admin"], presented["viewer"]
	presented["revoked"] = create(t, path, tokens.Request{Name: "revoked", Role: roles.Admin})
	if _, err := tokens.Revoke(path, "revoked"); err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Add(time.Minute)
	presented["expired"] = create(t, path, tokens.Request{Name: "expired", Role: roles.Admin, Expires: soon})
	time.Sleep(time.Hour) // on the clock of the bubble
	presented["of another robot"] = create(t, path, tokens.Request{Name: "eve", Role: roles.Admin, Robot: "another"})
	presented["of another device"] = create(t, path, tokens.Request{Name: "board", Role: roles.Service, Device: "motors"})
	presented["truncated"] = admin[:len(admin)-1]
	presented["forged"] = admin[:strings.LastIndex(admin, "_")] + viewer[strings.LastIndex(viewer, "_"):]
	g := newGuard(Settings{Robot: "r", Device: "d", AccessFile: path}, nil, slog.New(slog.DiscardHandler),
		prometheus.NewRegistry())
	presented["nobody"] = ""
	for who, token := range presented {
		err := callAs(t.Context(), g, method, m, token)
		want := codes.Unauthenticated
		switch {
		case holds[who].Allows(need):
			want = codes.OK
		case holds[who] != roles.None || who == "of another device":
			want = codes.PermissionDenied
		}
		if status.Code(err) != want {
			t.Errorf("%s, which needs a %v, %s: %v, want %v", method, need, who, err, want)
		}
	}
}

// callAs has a call that presents a token pass the guard, and tells whether it reached the handler by no error.
func callAs(ctx context.Context, g *guard, method string, m protoreflect.MethodDescriptor, token string) error {
	ctx = peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}})
	if token != "" {
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("authorization", "Bearer "+token))
	}
	reached := false
	var err error
	if m.IsStreamingClient() || m.IsStreamingServer() {
		info := &grpc.StreamServerInfo{FullMethod: method, IsClientStream: m.IsStreamingClient(),
			IsServerStream: m.IsStreamingServer()}
		err = g.stream(nil, noStream{ctx: ctx}, info, func(any, grpc.ServerStream) error { reached = true; return nil })
	} else {
		_, err = g.unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method},
			func(context.Context, any) (any, error) { reached = true; return nil, nil })
	}
	if reached != (err == nil) {
		return fmt.Errorf("the handler was reached: %v, with the error %w", reached, err)
	}
	return err
}
