package linktest_test

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/linktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

func newLine(t *testing.T, s linktest.Shape) *linktest.Line {
	t.Helper()
	l, err := linktest.NewLine(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLine: packets are delivered when they are due, in order, and each wait of the line is as long as it says.
func TestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, linktest.Shape{Rate: linktest.Constant(8e6), Delay: 20 * ms})
		defer l.Close()
		began, got := time.Now(), make(chan time.Duration, 10)
		send := func() { l.Send([]byte("x"), 1000, func([]byte) { got <- time.Since(began) }) }
		send()
		send()
		time.Sleep(10 * ms)
		send()
		for _, want := range []time.Duration{21 * ms, 22 * ms, 31 * ms} {
			if at := <-got; at != want {
				t.Errorf("delivered after %v, want %v", at, want)
			}
		}
		if s := l.Stats(); s.Arrived != (linktest.Count{Packets: 3, Bytes: 3000}) || s.Late.Max != 0 {
			t.Errorf("statistics: %+v", s)
		}
	})
}

// TestLateReader: a delivery that takes long delays others, but not the rate.
func TestLateReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, linktest.Shape{Rate: linktest.Constant(8e6)})
		defer l.Close()
		began, got := time.Now(), make(chan time.Duration, 10)
		for range 8 {
			l.Send(nil, 1000, func([]byte) {
				at := time.Since(began)
				if got <- at; at == ms {
					time.Sleep(4 * ms)
				}
			})
		}
		var all []time.Duration
		for range 8 {
			all = append(all, <-got)
		}
		want := []time.Duration{1 * ms, 5 * ms, 5 * ms, 5 * ms, 5 * ms, 6 * ms, 7 * ms, 8 * ms}
		if !slices.Equal(all, want) {
			t.Errorf("delivered after %v, want %v", all, want)
		}
		if late := l.Stats().Late.Max; late != 3*ms {
			t.Errorf("late by %v, want 3ms", late)
		}
	})
}

func TestCutAndRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, linktest.Shape{Delay: 50 * ms})
		defer l.Close()
		got := make(chan string, 10)
		send := func(s string) { l.Send([]byte(s), 100, func(d []byte) { got <- string(d) }) }
		send("on the way")
		time.Sleep(10 * ms)
		l.Cut()
		send("into the cut")
		l.Join()
		send("after it")
		if s := <-got; s != "after it" {
			t.Errorf("%q arrived", s)
		}
		if n := l.Stats().Cut.Packets; n != 2 {
			t.Errorf("%d packets were cut", n)
		}
		send("before the restart")
		began := time.Now()
		time.Sleep(20 * ms)
		slowFirst := []linktest.Step{{At: 0, Bps: 8e3}, {At: time.Second, Bps: 8e6}}
		if err := l.Restart(linktest.Shape{Rate: slowFirst}); err != nil {
			t.Fatal(err)
		}
		l.Send(nil, 1000, func([]byte) { got <- "slow" })
		l.Send(nil, 1000, func([]byte) { got <- "fast" })
		for _, want := range []struct {
			what string
			at   time.Duration
		}{{"before the restart", 50 * ms}, {"slow", 1020 * ms}, {"fast", 1021 * ms}} {
			if s := <-got; s != want.what || time.Since(began) != want.at {
				t.Errorf("%s after %v, want %v", s, time.Since(began), want)
			}
		}
		if n := l.Stats().Offered.Packets; n != 3 {
			t.Errorf("%d packets were offered since the restart", n)
		}
		l.Send(nil, 1000, func([]byte) { got <- "waits" })
		if err := l.Restart(linktest.Shape{Rate: linktest.Constant(8e4)}); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		if s := <-got; s != "waits" || time.Since(began) != 100*ms {
			t.Errorf("%s after %v", s, time.Since(began))
		}
		if err := l.Restart(linktest.Shape{Delay: -1}); err == nil {
			t.Error("a bad shape was accepted")
		}
	})
}

// TestClose: what is on the way is dropped, and what is sent then, too.
func TestClose(t *testing.T) {
	l := newLine(t, linktest.Shape{Delay: time.Hour})
	l.Send(nil, 100, func([]byte) { t.Error("delivered") })
	l.Close()
	l.Send(nil, 100, func([]byte) { t.Error("delivered") })
	l.Close()
}

// echo is a robot that sends back what it gets.
func echo(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort(buffer[:n], from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// TestProxy has two clients, which get their own answers, not before the round trip.
func TestProxy(t *testing.T) {
	p := linktest.Profile{FromRobot: linktest.Shape{Delay: 10 * ms}, ToRobot: linktest.Shape{Delay: 20 * ms}}
	proxy, err := linktest.NewProxy(echo(t), p, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	for _, text := range []string{"one", "another"} {
		conn, err := net.Dial("udp4", proxy.Address().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		began, answer := time.Now(), make([]byte, 100)
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(answer)
		if err != nil || string(answer[:n]) != text {
			t.Errorf("%q, %v", answer[:n], err)
		}
		if took := time.Since(began); took < 30*ms {
			t.Errorf("a round trip of 30 ms took %v", took)
		}
	}
	to, from := proxy.ToRobot.Stats(), proxy.FromRobot.Stats()
	want := linktest.Count{Packets: 2, Bytes: int64(2*28 + len("oneanother"))}
	if to.Arrived != want || from.Arrived != want {
		t.Errorf("to the robot %+v, from it %+v, want %+v", to.Arrived, from.Arrived, want)
	}
}

func TestBadProfiles(t *testing.T) {
	bad := linktest.Shape{Delay: -1}
	for _, p := range []linktest.Profile{{FromRobot: bad}, {ToRobot: bad}} {
		if _, err := linktest.NewLink(p, 1); err == nil {
			t.Errorf("%+v is accepted", p)
		}
		if _, err := linktest.NewProxy(netip.AddrPort{}, p, 1); err == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}

// BenchmarkLate measures by how much packets of 1200 bytes at 3 Mbit/s are late, because of the machine alone.
func BenchmarkLate(b *testing.B) {
	l, err := linktest.NewLine(linktest.Shape{Rate: linktest.Constant(3e6), Delay: 20 * ms, Queue: 64 << 20}, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	arrived := make(chan struct{}, b.N)
	for range b.N {
		l.Send(nil, 1200, func([]byte) { arrived <- struct{}{} })
	}
	for range b.N {
		<-arrived
	}
	late := l.Stats().Late
	b.ReportMetric(float64(late.Quantile(0.5))/1e6, "late-p50-ms")
	b.ReportMetric(float64(late.Quantile(0.99))/1e6, "late-p99-ms")
	b.ReportMetric(float64(late.Max)/1e6, "late-max-ms")
}
