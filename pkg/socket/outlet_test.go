package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// system is a system that refuses some calls.
type system struct {
	cut, many error         // of calls for several packets
	one       map[int]error // of packets, by the number in their first byte
	atOnce    int           // how many packets a call takes; 0: all

	calls []string
	sent  []int
}

func (s *system) segments(r *Run) error {
	s.calls = append(s.calls, fmt.Sprintf("cut %d", r.Len()))
	if s.cut == nil {
		s.leave(r, 0, r.Len())
	}
	return s.cut
}

func (s *system) messages(r *Run, from int) (int, error) {
	s.calls = append(s.calls, fmt.Sprintf("many %d", r.Len()-from))
	if s.many != nil {
		return 0, s.many
	}
	n := 0
	for packet := range r.Packets() {
		switch {
		case n < from:
		case s.one[int(packet[0])] != nil && n == from:
			return 0, s.one[int(packet[0])]
		case s.one[int(packet[0])] != nil, s.atOnce > 0 && n == from+s.atOnce:
			s.leave(r, from, n)
			return n - from, nil
		}
		n++
	}
	s.leave(r, from, n)
	return n - from, nil
}

func (s *system) single(r *Run, i int) error {
	s.calls = append(s.calls, "one")
	number := int(slices.Collect(r.Packets())[i][0])
	if err := s.one[number]; err != nil {
		return err
	}
	s.leave(r, i, i+1)
	return nil
}

func (s *system) leave(r *Run, from, until int) {
	for i, packet := range slices.Collect(r.Packets()) {
		if i >= from && i < until {
			s.sent = append(s.sent, int(packet[0]))
		}
	}
}

// five returns a run of packets with the numbers 1 to 5.
func five(to string) *Run {
	var r Run
	for i := range 5 {
		r.Add([]byte{byte(i + 1), 0})
	}
	r.to.set(netip.MustParseAddrPort(to), false)
	return &r
}

func wrapped(errno syscall.Errno) error { return fmt.Errorf("sendmsg: %w", errno) }

func TestOutletFallsBack(t *testing.T) {
	all := []int{1, 2, 3, 4, 5}
	for _, tt := range []struct {
		name    string
		system  system
		uncut   bool // the socket does not cut from the beginning
		calls   []string
		again   []string // of a second run to the same peer
		sent    []int    // of the first run
		told    []Failure
		failure syscall.Errno
	}{
		{name: "nothing is refused", calls: []string{"cut 5"}, again: []string{"cut 5"}, sent: all},
		{
			name: "no checksum offload", system: system{cut: wrapped(syscall.EIO)},
			calls: []string{"cut 5", "many 5"}, again: []string{"many 5"}, sent: all,
			told: []Failure{{Segments, 0, syscall.EIO}},
		},
		{
			name: "larger than the path carries", system: system{cut: wrapped(syscall.EMSGSIZE)},
			calls: []string{"cut 5", "many 5"}, again: []string{"many 5"}, sent: all,
			told: []Failure{{Segments, 0, syscall.EMSGSIZE}},
		},
		{
			name: "a full queue is no reason to send the same again", system: system{cut: wrapped(syscall.ENOBUFS)},
			calls: []string{"cut 5"}, again: []string{"cut 5"},
			told: []Failure{{Segments, 5, syscall.ENOBUFS}}, failure: syscall.ENOBUFS,
		},
		{name: "not cut from the beginning", uncut: true, calls: []string{"many 5"}, again: []string{"many 5"}, sent: all},
		{
			name: "a filter of system calls", system: system{cut: wrapped(syscall.EINVAL), many: wrapped(syscall.ENOSYS)},
			calls: []string{"cut 5", "many 5", "one", "one", "one", "one", "one"},
			again: []string{"one", "one", "one", "one", "one"}, sent: all,
			told: []Failure{{Segments, 0, syscall.EINVAL}, {Messages, 0, syscall.ENOSYS}},
		},
		{
			name: "fewer at once", uncut: true, system: system{atOnce: 2}, calls: []string{"many 5", "many 3", "one"},
			again: []string{"many 5", "many 3", "one"}, sent: all,
		},
		{
			name: "one packet of five", uncut: true, system: system{one: map[int]error{3: wrapped(syscall.EMSGSIZE)}},
			calls: []string{"many 5", "many 3", "one", "many 2"}, again: []string{"many 5", "many 3", "one", "many 2"},
			sent: []int{1, 2, 4, 5}, told: []Failure{{Single, 1, syscall.EMSGSIZE}}, failure: syscall.EMSGSIZE,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var told []Failure
			o := outlet{calls: &tt.system, cuts: !tt.uncut, failed: func(f Failure) { told = append(told, f) }}
			o.many.Store(true)
			err := o.send(five("192.0.2.1:9"))
			if !slices.Equal(tt.system.calls, tt.calls) || !slices.Equal(tt.system.sent, tt.sent) {
				t.Errorf("sent %v by %q, want %v by %q", tt.system.sent, tt.system.calls, tt.sent, tt.calls)
			}
			if (err != nil) != (tt.failure != 0) || tt.failure != 0 && !errors.Is(err, tt.failure) {
				t.Errorf("returned %v, want %v", err, tt.failure)
			}
			same := func(got, want Failure) bool {
				return got.Call == want.Call && got.Lost == want.Lost && errors.Is(got.Err, want.Err)
			}
			if !slices.EqualFunc(told, tt.told, same) {
				t.Errorf("told of %v, want %v", told, tt.told)
			}
			tt.system.calls = nil
			_ = o.send(five("192.0.2.1:9"))
			if !slices.Equal(tt.system.calls, tt.again) {
				t.Errorf("sent again by %q, want %q", tt.system.calls, tt.again)
			}
		})
	}
}

// A way on which nothing can be cut says nothing about others, nor about itself for ever.
func TestRefusalsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &system{cut: wrapped(syscall.EIO)}
		o := outlet{calls: s, cuts: true}
		o.many.Store(true)
		_ = o.send(five("192.0.2.1:9"))
		s.cut, s.calls = nil, nil
		_ = o.send(five("192.0.2.2:9"))
		_ = o.send(five("192.0.2.1:9"))
		time.Sleep(refusalLasts)
		_ = o.send(five("192.0.2.1:9"))
		if want := []string{"cut 5", "many 5", "cut 5"}; !slices.Equal(s.calls, want) {
			t.Errorf("sent by %q, want %q", s.calls, want)
		}
	})
}

func TestRefusalsAreBounded(t *testing.T) {
	var r refusals
	var p place
	for i := range 3 * maxRefusals {
		p.set(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(i)), false)
		r.add(&p)
	}
	if n := len(r.until); n > maxRefusals || !r.has(&p) {
		t.Errorf("%d are remembered, the last one %v", n, r.has(&p))
	}
}

func TestParseBatching(t *testing.T) {
	for _, want := range []Batching{Auto, On, Off} {
		if got, err := ParseBatching(want.String()); got != want || err != nil {
			t.Errorf("%s is %s, %v", want, got, err)
		}
	}
	if _, err := ParseBatching("yes"); err == nil {
		t.Error("yes is taken")
	}
}
