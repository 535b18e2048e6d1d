package paths

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
)

var start = time.Unix(1_700_000_000, 0)

// statuses are what a test report says of packets in a row: "." lost, "r" received; at the times given.
func report(base uint16, reference uint32, statuses string, deltas ...time.Duration) *rtcp.TransportLayerCC {
	f := &rtcp.TransportLayerCC{
		BaseSequenceNumber: base, PacketStatusCount: uint16(len(statuses)), ReferenceTime: reference,
	}
	symbols := make([]uint16, 0, 7)
	flush := func() {
		if len(symbols) > 0 {
			f.PacketChunks = append(f.PacketChunks, &rtcp.StatusVectorChunk{
				SymbolSize: rtcp.TypeTCCSymbolSizeTwoBit, SymbolList: append([]uint16(nil), symbols...)})
			symbols = symbols[:0]
		}
	}
	for _, s := range statuses {
		symbol := rtcp.TypeTCCPacketNotReceived
		if s == 'r' {
			symbol = rtcp.TypeTCCPacketReceivedLargeDelta
			f.RecvDeltas = append(f.RecvDeltas, &rtcp.RecvDelta{Type: symbol, Delta: deltas[0].Microseconds()})
			deltas = deltas[1:]
		}
		if symbols = append(symbols, symbol); len(symbols) == 7 {
			flush()
		}
	}
	flush()
	return f
}

func number(p *Path, n int, at time.Time) (last uint16) {
	for range n {
		last = p.Number(1000, at)
	}
	return last
}

func TestNumbersFollowEachOther(t *testing.T) {
	p := New()
	for want := range 1<<16 + 10 {
		if got := p.Number(100, start); got != uint16(want) {
			t.Fatalf("packet %d has number %d", want, got)
		}
	}
}

func TestFeedback(t *testing.T) {
	ms := time.Millisecond
	for _, tt := range []struct {
		name     string
		sent     int // before, to get to other numbers
		packets  int
		reports  []*rtcp.TransportLayerCC
		inFlight int64
		loss     float64
	}{
		{name: "nothing is reported", packets: 4, inFlight: 4000},
		{name: "all came", packets: 4, reports: []*rtcp.TransportLayerCC{report(0, 1, "rrrr", 1*ms, 1*ms, 1*ms, 1*ms)}},
		{name: "two are missing", packets: 4,
			reports: []*rtcp.TransportLayerCC{report(0, 1, "r..r", 1*ms, 1*ms)}, loss: .5},
		{name: "one comes late", packets: 4, reports: []*rtcp.TransportLayerCC{
			report(0, 1, "r..r", 1*ms, 1*ms), report(1, 1, "r", 9*ms)}, loss: .25},
		{name: "a report comes twice", packets: 5, inFlight: 1000, reports: []*rtcp.TransportLayerCC{
			report(0, 1, "r..r", 1*ms, 1*ms), report(0, 1, "r..r", 1*ms, 1*ms)}, loss: .5},
		{name: "what came is not lost later", packets: 2, reports: []*rtcp.TransportLayerCC{
			report(0, 1, "rr", 1*ms, 1*ms), report(0, 2, "..")}},
		{name: "over the wrap of numbers", sent: 1<<16 - 2, packets: 4,
			reports: []*rtcp.TransportLayerCC{report(1<<16-2, 1, "rr.r", 1*ms, 1*ms, 1*ms)}, loss: .25},
		{name: "never sent", packets: 2, inFlight: 2000, reports: []*rtcp.TransportLayerCC{
			report(2, 1, "rr", 1*ms, 1*ms), report(40000, 1, "....")}},
		{name: "too old", sent: ledgerSize, packets: 3, inFlight: 3000,
			reports: []*rtcp.TransportLayerCC{report(0, 1, "rrr", 1*ms, 1*ms, 1*ms)}},
		{name: "fewer times than packets", packets: 3, inFlight: 2000, reports: []*rtcp.TransportLayerCC{
			{PacketStatusCount: 3, RecvDeltas: []*rtcp.RecvDelta{{Delta: 250}}, PacketChunks: []rtcp.PacketStatusChunk{
				&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 3}}}}},
		{name: "more packets than announced", packets: 3, inFlight: 1000, loss: 1, reports: []*rtcp.TransportLayerCC{
			{PacketStatusCount: 2, PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{RunLength: 8191}}}}},
		{name: "without times", packets: 3, reports: []*rtcp.TransportLayerCC{
			{PacketStatusCount: 3, PacketChunks: []rtcp.PacketStatusChunk{
				&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedWithoutDelta, RunLength: 3}}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := New()
			number(p, tt.sent, start)
			if tt.sent > 0 { // they were reported long ago
				p.ledger.inFlight = 0
				for i := range p.ledger.ring {
					p.ledger.ring[i].fate = arrived
				}
			}
			number(p, tt.packets, start)
			for _, r := range tt.reports {
				p.RTCP([]rtcp.Packet{r}, start.Add(50*ms))
			}
			if got := p.ledger.inFlight; got != tt.inFlight {
				t.Errorf("%d bytes are in flight, want %d", got, tt.inFlight)
			}
			if got := p.losses.value(start.Add(50 * ms)); math.Abs(got-tt.loss) > 1e-9 {
				t.Errorf("%v are lost, want %v", got, tt.loss)
			}
		})
	}
}

// TestUnreported: of packets that nobody reports, only those in the ledger are in flight.
func TestUnreported(t *testing.T) {
	p := New()
	number(p, 3*ledgerSize, start)
	if got := p.ledger.inFlight; got != ledgerSize*1000 {
		t.Errorf("%d bytes are in flight, want those of the ledger", got)
	}
}

func TestArrivalClock(t *testing.T) {
	var c arrivalClock
	first := c.unwrap(1<<24 - 2)
	for _, tt := range []struct {
		reference uint32
		after     time.Duration // the first
	}{
		{1<<24 - 1, referenceUnit}, {0, 2 * referenceUnit}, {1, 3 * referenceUnit}, // it wraps
		{1<<24 - 1, referenceUnit}, // an older report
		{100, 102 * referenceUnit},
	} {
		if got := c.unwrap(tt.reference) - first; got != tt.after {
			t.Errorf("%d is %v after the first, want %v", tt.reference, got, tt.after)
		}
	}
}

// ntpMiddle is the time in the form of sender reports.
func ntpMiddle(at time.Time) uint32 {
	return uint32(uint64(at.Unix()+ntpEpoch)<<16 | uint64(at.Nanosecond())<<16/1e9)
}

func TestRoundTrip(t *testing.T) {
	ms := time.Millisecond
	now := start.Add(300 * ms)
	for _, tt := range []struct {
		name  string
		block rtcp.ReceptionReport
		want  time.Duration
		ok    bool
	}{
		{"none yet", rtcp.ReceptionReport{}, 0, false},
		{"held back", rtcp.ReceptionReport{LastSenderReport: ntpMiddle(start), Delay: 65536 / 4}, 50 * ms, true},
		{"not held back", rtcp.ReceptionReport{LastSenderReport: ntpMiddle(start)}, 300 * ms, true},
		{"rounded to less than nothing", rtcp.ReceptionReport{LastSenderReport: ntpMiddle(start), Delay: 65536*3/10 + 60},
			0, true},
		{"longer than it can be", rtcp.ReceptionReport{LastSenderReport: ntpMiddle(start), Delay: 65536}, 0, false},
		{"garbage", rtcp.ReceptionReport{LastSenderReport: 1 << 31, Delay: 77}, 0, false},
	} {
		got, ok := roundTrip(tt.block, now)
		if ok != tt.ok || ok && (got-tt.want).Abs() > ms {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

// TestRoundTripOfPath: receiver reports are exact, and a round trip is never longer than a report of arrivals took.
func TestRoundTripOfPath(t *testing.T) {
	ms := time.Millisecond
	p := New()
	if p.RoundTrip() != 0 {
		t.Error("a round trip is known before anything came")
	}
	p.RTCP([]rtcp.Packet{&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{
		{SSRC: 1, LastSenderReport: ntpMiddle(start)}}}}, start.Add(200*ms))
	if got := p.RoundTrip(); (got - 200*ms).Abs() > ms {
		t.Errorf("after a receiver report %v, want 200 ms", got)
	}
	sent := start.Add(300 * ms)
	number(p, 2, sent)
	p.RTCP([]rtcp.Packet{report(0, 1, "rr", ms, ms)}, sent.Add(40*ms))
	if got := p.RoundTrip(); got != 40*ms {
		t.Errorf("after a report of arrivals %v, want 40 ms", got)
	}
}

func TestEstimates(t *testing.T) {
	for _, tt := range []struct {
		name string
		bps  float32
		age  time.Duration
		want int64
	}{
		{"an estimate", 1.5e6, 0, 1_500_000}, {"an old one", 1.5e6, limitAge + 1, 0}, {"none yet", 0, 0, 0},
		{"garbage", float32(math.NaN()), 0, 0}, {"nothing that limits", 1e18, 0, 0}, {"negative", -5, 0, 0},
	} {
		p := New()
		p.RTCP([]rtcp.Packet{&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: tt.bps}}, start)
		if got := p.limit.value(start.Add(tt.age)); got != tt.want {
			t.Errorf("%s: %d bit/s, want %d", tt.name, got, tt.want)
		}
	}
}

func TestRates(t *testing.T) {
	p := New()
	for i := range 100 { // 100 kB in a second
		p.Sent(1000, start.Add(time.Duration(i)*10*time.Millisecond))
	}
	if got := p.sent.rate(start.Add(990 * time.Millisecond)); got != 800_000 {
		t.Errorf("%d bit/s, want 800,000", got)
	}
	if got := p.sent.rate(start.Add(5 * time.Second)); got != 0 {
		t.Errorf("%d bit/s long after the last packet", got)
	}
}

// TestReceiverReports: the loss that they tell counts only where arrivals are not reported.
func TestReceiverReports(t *testing.T) {
	lossy := &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 1, FractionLost: 64}}}
	p := New()
	p.RTCP([]rtcp.Packet{lossy}, start)
	if got := p.losses.value(start); got != .25 {
		t.Errorf("%v are lost, want 0.25", got)
	}
	if got := p.losses.value(start.Add(time.Minute)); got != 0 {
		t.Errorf("%v are lost a minute later", got)
	}
	p = New()
	number(p, 1, start)
	p.RTCP([]rtcp.Packet{report(0, 1, "r", time.Millisecond), lossy}, start)
	if got := p.losses.value(start); got != 0 {
		t.Errorf("%v are lost, want 0", got)
	}
}

// TestPeersThatDoNotReportArrivals are limited by what they estimate, and by what they lose.
func TestPeersThatDoNotReportArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := New(), time.Now()
		limit := func() int64 { return p.Available() / 1000 }
		lose := func(fraction uint8) {
			for range 100 {
				p.Sent(2500, time.Now()) // 2 Mbit/s
				time.Sleep(10 * time.Millisecond)
			}
			p.RTCP([]rtcp.Packet{&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{FractionLost: fraction}}}}, time.Now())
		}
		lose(0)
		if got := limit(); got != 0 {
			t.Errorf("limited to %d kbit/s by nothing", got)
		}
		lose(128)
		if got := limit(); got != 0 {
			t.Errorf("limited to %d kbit/s by losses of one report", got)
		}
		changed := p.Changed()
		lose(128)
		if got := limit(); got < 900 || got > 1100 {
			t.Errorf("limited to %d kbit/s when half of 2000 was lost for two seconds", got)
		}
		select {
		case <-changed:
		default:
			t.Error("nobody was told")
		}
		p.RTCP([]rtcp.Packet{&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 5e5}}, time.Now())
		if got := limit(); got != 500 {
			t.Errorf("limited to %d kbit/s, estimated were 500", got)
		}
		if p.Full() || p.Queue() != 0 || !p.Heard().After(began) {
			t.Error("full, or with a queue, or never heard of")
		}
	})
}

// TestLateReceiverReports: only round trips that grow and stay long limit a peer that does not report arrivals.
func TestLateReceiverReports(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name    string
		trips   []time.Duration // one each second, after 20 of 5 ms
		limited bool
	}{
		{"busy for some seconds", []time.Duration{305 * ms, 305 * ms, 305 * ms, 305 * ms, 5 * ms, 5 * ms}, false},
		{"a queue grows", []time.Duration{505 * ms, 1005 * ms, 1505 * ms, 2005 * ms, 2505 * ms}, true},
	} {
		p, now, limited := New(), start, false
		for _, trip := range append(slices.Repeat([]time.Duration{5 * ms}, 20), tt.trips...) {
			now = now.Add(time.Second)
			p.Sent(250_000, now)
			p.RTCP([]rtcp.Packet{&rtcp.ReceiverReport{
				Reports: []rtcp.ReceptionReport{{LastSenderReport: ntpMiddle(now.Add(-trip))}}}}, now)
			limited = limited || p.available(now) > 0
		}
		if limited != tt.limited {
			t.Errorf("%s: limited: %v, want %v", tt.name, limited, tt.limited)
		}
	}
}

// FuzzRTCP: whatever a peer reports, the ledger stays right.
func FuzzRTCP(f *testing.F) {
	for _, r := range []rtcp.Packet{
		report(0, 1, "r..rrrrrr", 1, 1, 1, 1, 1, 1, 1), report(65530, 1<<24-1, "......r", -time.Second),
		&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{LastSenderReport: ntpMiddle(start), Delay: 9}}},
		&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1e6, SSRCs: []uint32{1}},
	} {
		if raw, err := r.Marshal(); err == nil {
			f.Add(raw, uint16(65500), uint16(100))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, before, packets uint16) {
		list, err := rtcp.Unmarshal(raw)
		if err != nil {
			return
		}
		p := New()
		number(p, int(before), start)
		number(p, int(packets), start.Add(time.Second))
		p.RTCP(list, start.Add(1100*time.Millisecond))
		var inFlight int64
		for i := max(0, p.ledger.next-ledgerSize); i < p.ledger.next; i++ {
			if d := p.ledger.ring[i%ledgerSize]; d.fate == pending {
				inFlight += int64(d.bytes)
			}
		}
		if inFlight != p.ledger.inFlight {
			t.Errorf("%d bytes in flight, counted %d", inFlight, p.ledger.inFlight)
		}
		s := p.Snapshot()
		if s.Loss < 0 || s.Loss > 1 || s.RoundTrip < 0 || s.RoundTrip > maxTrip || s.Available < 0 {
			t.Errorf("%+v", s)
		}
	})
}
