package firmware_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/firmware/internal/wire"
)

// A command sent in one piece is found in the stream, whatever else is in it. The reader's own tests, with any pauses,
// are in internal/sketch.
func TestStreams(t *testing.T) {
	t.Parallel()
	a, c := both(70), both(80)
	for name, tt := range map[string]struct {
		stream []byte
		want   []wire.Command
	}{
		"a wrong CRC":         {slices.Concat(a.Encode()[:5], []byte{^a.Encode()[5]}, c.Encode()), []wire.Command{c}},
		"a wrong payload":     {slices.Concat([]byte{0xA5, 71}, a.Encode()[2:], c.Encode()), []wire.Command{c}},
		"noise before":        {slices.Concat([]byte("hello"), c.Encode()), []wire.Command{c}},
		"start bytes before":  {slices.Concat([]byte{0xA5, 0xA5, 0xA5, 0xA5, 0xA5}, c.Encode()), []wire.Command{c}},
		"the first byte lost": {slices.Concat(a.Encode()[1:], c.Encode()), []wire.Command{c}},
		"a byte lost":         {slices.Concat(a.Encode()[:3], a.Encode()[4:], c.Encode()), []wire.Command{c}},
		"the last byte lost":  {slices.Concat(a.Encode()[:5], c.Encode()), []wire.Command{c}},
		"telemetry":           {slices.Concat([]byte{0x5A, 1, 2, 3}, c.Encode()), []wire.Command{c}},
		"a part after":        {slices.Concat(c.Encode(), a.Encode()[:5]), []wire.Command{c}},
		"a CRC of the whole": {slices.Concat(a.Encode()[:5], []byte{wire.CRC8(a.Encode()[:5])}, c.Encode()),
			[]wire.Command{c}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBoard(t, "rover")
			before := b.ready()
			b.write(tt.stream)
			want := slices.Concat(tt.want, []wire.Command{stopped})
			got := b.until("the watchdog has stopped the motors",
				func(r record) bool { return len(r.after(before)) >= len(want) })
			if commands := got.after(before); !slices.Equal(commands, want) {
				t.Errorf("the motors got %v, want %v", commands, want)
			}
		})
	}
}

// A serial line delivers bytes, not frames.
func TestBytesOneByOne(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	b.ready()
	// Once is not enough: on a slow machine the bytes of a frame may be too far apart.
	b.while("a frame is put together", func() {
		for _, x := range slow.Encode() {
			b.write([]byte{x})
			time.Sleep(2 * time.Millisecond)
		}
	}, 20*time.Millisecond, func(r record) bool { return r.motors() == slow })
}

// The rest of a frame that arrives too late does not complete its beginning.
func TestPartOfAFrameIsForgotten(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	before := b.ready()
	part := both(200).Encode()
	b.write(slices.Concat(slow.Encode(), part[:5]))
	// When the telemetry reports the first command, the part has arrived too, or nearly so.
	there := b.until("the first command is carried out", func(r record) bool { return r.last().Command() == slow })
	b.until("the part is too old", func(r record) bool { return r.last().Uptime >= there.last().Uptime+100 })
	b.write(part[5:])
	b.until("the watchdog has stopped the motors",
		func(r record) bool { return slices.Equal(r.after(before), []wire.Command{slow, stopped}) })
	got := b.driving(slow, "it can be driven", func(r record) bool { return r.motors() == slow })
	if commands := got.after(before); slices.Contains(commands, both(200)) {
		t.Errorf("the motors got %v", commands)
	}
}

// Whatever arrives on the line for several seconds, the motors follow only whole frames with the right CRC.
func TestGarbage(t *testing.T) {
	for name, value := range map[string]func(*rand.Rand) byte{
		"any bytes": func(r *rand.Rand) byte { return byte(r.Uint32()) },
		"start bytes and any": func(r *rand.Rand) byte {
			return [2]byte{wire.CommandStart, byte(r.Uint32())}[r.IntN(2)]
		},
		"few different bytes": func(r *rand.Rand) byte { return []byte{0xA5, 0x00, 0x01, 0xFF, 0x5A}[r.IntN(5)] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(3, 4))
			stream := make([]byte, 30_000)
			for i := range stream {
				stream[i] = value(random)
			}
			b := startBoard(t, "rover")
			b.ready()
			for part := range slices.Chunk(stream, 100) {
				b.write(part)
			}
			got := b.driving(both(123), "it can be driven after that", func(r record) bool { return r.motors() == both(123) })
			possible := wire.Possible(slices.Concat(stream, both(123).Encode()))
			possible[stopped] = true
			for _, m := range got.motions {
				if !possible[m.Command] {
					t.Errorf("the motors received %v, which nobody sent", m.Command)
				}
			}
			t.Logf("%d different frames were right by chance, the motors got %d changes", len(possible)-2, len(got.motions))
		})
	}
}
