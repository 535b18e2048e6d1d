package play_test

import (
	"context"
	"testing"
	"time"

	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/recording/play"
)

// server answers as a player does.
type server struct {
	playerv1.UnimplementedPlayerServiceServer
	clock play.Clock
}

func (s *server) GetPlayer(context.Context, *playerv1.GetPlayerRequest) (*playerv1.GetPlayerResponse, error) {
	return &playerv1.GetPlayerResponse{State: s.clock.State(s.clock.At)}, nil
}

// TestFollow: the clock of a player is known although it says nothing by itself, changes when it says something else,
// and holds when it is gone. What makes no sense is ignored.
func TestFollow(t *testing.T) {
	hub, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	conn, err := bus.Connect(bus.Config{URL: hub.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	address := bus.Address{Robot: "rover", Device: "player"}
	f, err := play.Follow(conn.Conn, address)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if c, known, _ := f.Newest(); known {
		t.Fatalf("without a player: %v", c)
	}
	first := play.Clock{Jump: 1, Playing: true, Offset: time.Second, At: time.Minute, Speed: 1, Duration: time.Hour}
	service, err := conn.Serve(bus.ServiceConfig{Address: address, Kind: "player", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.RegisterService(&playerv1.PlayerService_ServiceDesc, &server{clock: first}); err != nil {
		t.Fatal(err)
	}
	awaitClock(t, f, first)
	service.Close()
	second := first
	second.Jump, second.Playing = 2, false
	for _, c := range []play.Clock{{Jump: 9}, second} {
		if err := conn.PublishAs(1, address.Out(play.Stream), c.State(c.At)); err != nil {
			t.Fatal(err)
		}
	}
	awaitClock(t, f, second)
}

func awaitClock(t *testing.T, s play.Source, want play.Clock) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		c, known, newer := s.Newest()
		if known && c == want {
			return
		}
		if c.Jump == 9 {
			t.Fatal("a state without a speed is taken")
		}
		select {
		case <-newer:
		case <-ctx.Done():
			t.Fatalf("the clock is %v (%v), not %v", c, known, want)
		}
	}
}
