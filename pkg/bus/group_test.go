package bus_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

func join(t testing.TB, c *bus.ConnCloser, subject, group string) *bus.Subscription[bus.Raw] {
	t.Helper()
	s, err := bus.Join(c.Conn, subject, group, stream.DropOldest(1000))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	flush(t, c)
	return s
}

// sequences reads a drained subscription to its end.
func sequences(t testing.TB, s *bus.Subscription[bus.Raw]) (got []int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		r, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		var f mediav1.VideoFrame
		if err := proto.Unmarshal(r.Data, &f); err != nil || r.Parts != 1 || r.Epoch != 7 {
			t.Fatalf("%d bytes, %d parts, epoch %d: %v", len(r.Data), r.Parts, r.Epoch, err)
		}
		got = append(got, f.GetSequence())
	}
}

// TestJoin: each message goes to one member of every group, and what was sent before Drain can be read after it.
func TestJoin(t *testing.T) {
	const messages = 300
	reader, writer := pair(t)
	subject := front.Out("video-jpeg")
	groups := map[string][]*bus.Subscription[bus.Raw]{}
	for _, group := range []string{"a", "a", "a", "b"} {
		groups[group] = append(groups[group], join(t, reader, subject, group))
	}
	for i := range messages {
		if err := writer.PublishAs(7, subject, frame(i, 10)); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, writer)
	flush(t, reader) // the messages have been sent to it
	for group, members := range groups {
		seen := map[int64]int{}
		for _, m := range members {
			m.Drain()
			mine := sequences(t, m)
			if len(mine) == 0 {
				t.Errorf("a member of %s got nothing", group)
			}
			for _, n := range mine {
				seen[n]++
			}
		}
		if len(seen) != messages {
			t.Errorf("group %s got %d of %d messages", group, len(seen), messages)
		}
		for n, times := range seen {
			if times != 1 {
				t.Errorf("group %s got message %d %d times", group, n, times)
			}
		}
	}
	if _, err := bus.Join(reader.Conn, subject, "", stream.Latest()); err == nil {
		t.Error("a group without a name can be joined")
	}
}

// TestJoinAndLargeMessages: one that the server takes at once can be dealt if it is published whole; of another, one
// member gets the beginning, and is told so.
func TestJoinAndLargeMessages(t *testing.T) {
	reader, writer := pair(t)
	subject := front.Out("video-jpeg")
	member, other := join(t, reader, subject, "a"), join(t, reader, subject, "a")
	all := subscribe[*mediav1.VideoFrame](t, reader, subject, stream.DropOldest(10))
	for _, tt := range []struct {
		publish func(int64, string, proto.Message) error
		size    int
		parts   int
	}{
		{writer.PublishAs, 1 << 19, 1},
		{writer.PublishAs, 3 << 20, 4},
		{writer.PublishWhole, 3 << 20, 1},
		{writer.PublishWhole, 7 << 20, 1},
		{writer.PublishWhole, 9 << 20, 2},
	} {
		if err := tt.publish(7, subject, frame(1, tt.size)); err != nil {
			t.Fatal(err)
		}
		if got := len(next(t, all).GetData()); got != tt.size {
			t.Errorf("who reads all gets %d of %d bytes", got, tt.size)
		}
		var r bus.Raw
		until(t, "one member has the message", func() bool {
			var mine, others bool
			if r, mine = member.TryNext(); !mine {
				r, others = other.TryNext()
			}
			return mine || others
		})
		if r.Parts != tt.parts || r.Type != "waldo.media.v1.VideoFrame" {
			t.Errorf("%d bytes come in %d parts, want %d: %q", tt.size, r.Parts, tt.parts, r.Type)
		}
	}
	member.Drain()
	other.Drain()
	if rest := len(sequences(t, member)) + len(sequences(t, other)); rest != 0 {
		t.Errorf("%d more messages than were sent", rest)
	}
}

// TestDrainWithoutServer ends all the same.
func TestDrainWithoutServer(t *testing.T) {
	s := startServer(t, embedded.Config{})
	c := connect(t, bus.Config{URL: s.URL()})
	member := join(t, c, front.Out("video-jpeg"), "a")
	s.Close()
	until(t, "the server is missed", func() bool { return !c.Connected() })
	member.Drain()
	c.Close()
	if got := sequences(t, member); len(got) != 0 {
		t.Errorf("read %v", got)
	}
}
