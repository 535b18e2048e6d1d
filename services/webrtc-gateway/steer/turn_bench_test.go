package steer

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkTurn considers everything once, for many viewers of one camera, one of whom drives.
func BenchmarkTurn(b *testing.B) {
	for _, n := range []int{1, 10, 100, 300} {
		b.Run(fmt.Sprint(n, " viewers"), func(b *testing.B) {
			r, d := newRobot(), NewDrivers("")
			s := New(r, r, Config{Drivers: d})
			defer s.Close()
			for i := range n {
				sit(s, fmt.Sprint(i), int64(1_000_000+10_000*i))
			}
			b.ReportAllocs()
			for b.Loop() {
				d.Accepted("0", "motors")
				s.turn(b.Context(), time.Now())
			}
		})
	}
}
