package device

import (
	"cmp"
	"context"
	"slices"
	"strings"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/text"
)

// maxObstacles bounds an answer.
const maxObstacles = 64

// Obstacle is one thing that a restart would disturb. The kind with the least number is the gravest.
type Obstacle struct {
	Kind devicev1.RestartObstacleKind
	Text string // for people, for example: driven by "Ann"
}

// BeforeRestart has ask called by those who want to know what a restart would disturb, beside the readers of streams.
// It returns at once, and nothing if a restart does not matter. It is for use in [Kind.New].
func (k *Kit) BeforeRestart(ask func() []Obstacle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.obstacles = append(k.obstacles, ask)
}

// restartObstacles is what a restart would disturb now, the gravest first.
func (k *Kit) restartObstacles() []Obstacle {
	k.mu.Lock()
	asks := slices.Clone(k.obstacles)
	k.mu.Unlock()
	var all []Obstacle
	for _, ask := range append(asks, k.reading) {
		all = append(all, ask()...)
	}
	slices.SortStableFunc(all, func(a, b Obstacle) int { return cmp.Compare(a.Kind, b.Kind) })
	return all[:min(len(all), maxObstacles)]
}

// reading is who reads streams.
func (k *Kit) reading() (all []Obstacle) {
	add := func(n int, one, many string) {
		if n > 0 {
			all = append(all,
				Obstacle{devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_READER, text.Count(n, one, many)})
		}
	}
	k.mu.Lock()
	outs := slices.Clone(k.outs)
	k.mu.Unlock()
	for _, o := range outs {
		add(o.holds.count(), "on the bus reads the stream "+o.name, "on the bus read the stream "+o.name)
	}
	add(int(k.guard.streaming.Load()), "call streams over gRPC", "calls stream over gRPC")
	return all
}

// leases are those obstacles that stand against an upgrade too.
func leases(all []Obstacle) []Obstacle {
	return slices.DeleteFunc(all, func(o Obstacle) bool {
		return o.Kind != devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_LEASE
	})
}

// words puts obstacles into a sentence.
func words(all []Obstacle) string {
	texts := make([]string, len(all))
	for i, o := range all {
		texts[i] = o.Text
	}
	return strings.Join(texts, "; ")
}

func (s *service) GetRestartSafety(context.Context, *devicev1.GetRestartSafetyRequest) (
	*devicev1.GetRestartSafetyResponse, error) {
	all := s.kit.restartObstacles()
	response := &devicev1.GetRestartSafetyResponse{Safe: len(all) == 0, WithoutGap: s.kit.beside}
	for _, o := range all {
		response.Obstacles = append(response.Obstacles, &devicev1.RestartObstacle{Kind: o.Kind, Text: plain(o.Text)})
	}
	return response, nil
}
