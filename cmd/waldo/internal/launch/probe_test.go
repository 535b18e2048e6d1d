package launch

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/device/vital"
)

// deadlocked is an actuator that no longer returns its control state.
type deadlocked struct {
	controlv1.UnimplementedControlServiceServer
}

func (deadlocked) GetControl(
	ctx context.Context, _ *controlv1.GetControlRequest,
) (*controlv1.GetControlResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestDeviceProbe probes servers of all sorts.
func TestDeviceProbe(t *testing.T) {
	serve := func(register func(*grpc.Server)) func(*testing.T) string {
		return func(t *testing.T) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := grpc.NewServer()
			register(server)
			ended := make(chan error, 1)
			go func() { ended <- server.Serve(l) }()
			t.Cleanup(func() {
				server.Stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
			return l.Addr().String()
		}
	}
	away := health.NewServer()
	away.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	for name, tt := range map[string]struct {
		address func(*testing.T) string
		want    supervise.Answer
	}{
		"hardware away":    {serve(func(s *grpc.Server) { healthpb.RegisterHealthServer(s, away) }), supervise.Answered},
		"knows none of it": {serve(func(*grpc.Server) {}), supervise.Answered},
		"deadlock": {serve(func(s *grpc.Server) { controlv1.RegisterControlServiceServer(s, deadlocked{}) }),
			supervise.Silent},
		"accepts and is quiet": {occupy, supervise.Silent},
		"does not listen":      {free, supervise.Unasked},
		"a loop of it hangs": {serve(func(s *grpc.Server) {
			hangs := health.NewServer()
			hangs.SetServingStatus(vital.Loops, healthpb.HealthCheckResponse_NOT_SERVING)
			healthpb.RegisterHealthServer(s, hangs)
		}), supervise.Silent},
	} {
		t.Run(name, func(t *testing.T) {
			p := &deviceProbe{address: tt.address(t), token: "secret"}
			defer p.Close()
			patience := 10 * time.Second
			if tt.want == supervise.Silent && name != "a loop of it hangs" {
				patience = 200 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if got := p.Ask(ctx); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// TestPageProbe accepts any answer of a gateway as a sign of life.
func TestPageProbe(t *testing.T) {
	quit := make(chan struct{})
	for name, tt := range map[string]struct {
		page http.HandlerFunc
		want supervise.Answer
	}{
		"well": {func(http.ResponseWriter, *http.Request) {}, supervise.Answered},
		"unwell": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
			supervise.Answered},
		"hangs": {func(http.ResponseWriter, *http.Request) { <-quit }, supervise.Silent},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.page)
			defer server.Close()
			patience := 10 * time.Second
			if tt.want == supervise.Silent {
				patience = 200 * time.Millisecond
				defer close(quit) // before the server is closed
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			p := newPageProbe(server.URL + "/")
			defer p.Close()
			if got := p.Ask(ctx); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
	p := newPageProbe("http://" + free(t) + "/")
	defer p.Close()
	if got := p.Ask(t.Context()); got != supervise.Unasked {
		t.Errorf("nobody listens: %d", got)
	}
}
