package replay_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// BenchmarkRecordReplayTiming replays 1,000 messages a second at the speed of the recording, and reports how far from
// their times they reach a reader on the bus: before is negative. As wake-p99-ms it reports how late the machine
// meanwhile wakes a goroutine that sleeps: on a busy one that is most of it.
func BenchmarkRecordReplayTiming(b *testing.B) {
	const rate, span = 1000, 10 * second
	path := filepath.Join(b.TempDir(), "drive.mcap")
	writeReadings(b, path, int(rate*span/second)+rate, rate)
	for range b.N {
		r := newRig(b)
		p, _ := r.start(b, path, "thermo")
		messages, err := bus.SubscribeRaw(r.conn.Conn, p.Kit().Address().Out("readings"), stream.DropOldest(10*rate))
		if err != nil {
			b.Fatal(err)
		}
		hold := r.conn.Hold(p.Kit().Address(), "readings", "bench")
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		if _, err := messages.Next(ctx); err != nil { // it is held
			b.Fatal(err)
		}
		r.change(b, func(c *play.Clock) { c.Playing = true })
		wakes := sleeper()
		var off []time.Duration
		for len(off) < int(rate*span/second)-1 {
			m, err := messages.Next(ctx)
			if err != nil {
				b.Fatal(err)
			}
			now := boottime.Now()
			_, after := celsius(b, "Reading", m.Data)
			off = append(off, now-r.clock.When(time.Duration(after*1e9)))
		}
		report(b, off)
		late := wakes()
		slices.Sort(late)
		b.ReportMetric(float64(late[len(late)*99/100])/1e6, "wake-p99-ms")
		cancel()
		hold.Close()
		messages.Close()
		p.Stop()
	}
}

// sleeper sleeps again and again, until it is called, and then returns how much longer it slept each time.
func sleeper() func() []time.Duration {
	const nap = 5 * time.Millisecond
	stop, ended := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var late []time.Duration
		for {
			begun := time.Now()
			select {
			case <-stop:
				ended <- late
				return
			case <-time.After(nap):
				late = append(late, time.Since(begun)-nap)
			}
		}
	}()
	return func() []time.Duration { close(stop); return <-ended }
}

// report reports quantiles in milliseconds.
func report(b *testing.B, all []time.Duration) {
	b.Helper()
	slices.Sort(all)
	for name, d := range map[string]time.Duration{"p50-ms": all[len(all)/2], "p99-ms": all[len(all)*99/100],
		"first-ms": all[0], "max-ms": all[len(all)-1]} {
		b.ReportMetric(float64(d)/1e6, name)
	}
}

// writeReadings makes a recording of so many readings, which tell their time in seconds.
func writeReadings(b *testing.B, path string, count, rate int) {
	b.Helper()
	file := acme(b)
	f, err := write.Create(path, write.Head{}, write.Config{QueueBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	c, err := f.Add(recording.Channel{Device: "thermo", Kind: "thermometer", Stream: "readings", Direction: recording.Out,
		Type:  "acme.v1.Reading",
		Files: &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(file)}}})
	if err != nil {
		b.Fatal(err)
	}
	for n := range count {
		at := time.Duration(n) * second / time.Duration(rate)
		if err := f.Write(c,
			write.Message{Logged: recordingtest.Begin.Add(at), Data: reading(b, 1, at.Seconds())}); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}
