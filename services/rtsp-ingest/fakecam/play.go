package fakecam

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pion/rtcp"
)

func (cn *conn) play(req *Request, resp *Response) func(context.Context) bool {
	switch {
	case cn.camera.full(cn, req.Method):
		return cn.refuse(resp)
	case !cn.mine(req, resp):
		return nil
	case cn.session.playing():
		return nil
	}
	var players []*player
	var info []string
	for i := range cn.camera.config.Tracks {
		t := cn.session.tracks[i]
		if t == nil {
			continue
		}
		p, err := newPlayer(cn.camera, t)
		if err != nil {
			resp.Status = 500
			return nil
		}
		players = append(players, p)
		info = append(info, fmt.Sprintf("url=%s/trackID=%d;rtptime=%d", strings.TrimSuffix(req.URL, "/"), i, p.base))
	}
	resp.Add("RTP-Info", strings.Join(info, ","))
	return func(ctx context.Context) bool { return cn.begin(ctx, players) }
}

// begin starts the players and the camera's own requests. They end with the session, or with what ctx is.
func (cn *conn) begin(ctx context.Context, players []*player) bool {
	s := cn.session
	ctx, s.cancel = context.WithCancel(ctx)
	s.plays.Store(true)
	start, id := time.Now(), s.sent
	for _, p := range players {
		if !p.t.track.Silent && !p.t.track.BackChannel {
			s.running.Go(func() { p.run(ctx, start) })
		}
	}
	for _, a := range cn.camera.config.Asks {
		s.running.Go(func() { cn.asks(ctx, a, id) })
	}
	if closes := cn.camera.config.Closes; closes > 0 {
		s.running.Go(func() {
			if sleep(ctx, closes) {
				_ = cn.nc.Close()
			}
		})
	}
	cn.camera.add(Playing)
	cn.prolong()
	return true
}

// asks makes a request of the camera's, once or again and again.
func (cn *conn) asks(ctx context.Context, a Ask, session string) {
	for n, wait := 1, a.After; sleep(ctx, wait); n, wait = n+1, a.Every {
		if cn.ask(a.Method, session, n) != nil || a.Every <= 0 {
			return
		}
	}
}

// player sends one track to one viewer.
type player struct {
	camera *Camera
	t      *transport
	media  *Media
	pack   packer
	hooks  Hooks
	base   uint32 // the timestamp of the first unit presented
	obeyed int    // the last wish for a key picture
	ahead  int    // how many units were skipped for such wishes
	behind int    // how many units later than captured a unit is sent, for B-frames

	ssrc       uint32 // of the last packet
	timestamp  uint32
	captured   time.Time // when that unit was captured
	lastReport time.Time
	packets    uint32
	bytes      uint32
}

func newPlayer(c *Camera, t *transport) (*player, error) {
	p := &player{camera: c, t: t, media: t.track.Media, base: rand.Uint32(), obeyed: c.wishes(time.Now())}
	if t.track.Timestamp != nil {
		p.base = *t.track.Timestamp
	}
	if t.track.Hooks != nil {
		p.hooks = t.track.Hooks()
	}
	for i, u := range p.media.Units {
		p.behind = max(p.behind, u.Place-i)
	}
	var err error
	p.pack, err = packs(t.track)
	return p, err
}

// run sends until ctx ends or the viewer is gone.
func (p *player) run(ctx context.Context, start time.Time) {
	first := start.Add(p.camera.config.FirstPicture)
	for n := 0; ; n++ {
		media := p.duration(n)
		due := first.Add(time.Duration(float64(media) / p.camera.config.Speed))
		if !sleep(ctx, time.Until(due)) {
			return
		}
		if p.camera.mutes(pictures) {
			continue
		}
		if p.send(n, due) != nil || p.report(media) != nil {
			return
		}
	}
}

// duration is the time of n units.
func (p *player) duration(n int) time.Duration {
	return time.Duration(n) * time.Duration(p.media.Step) * time.Second / time.Duration(p.media.Clock)
}

// at is the place in the clip of unit n, endless. For a key picture that is wished for the clip is advanced to the
// next.
func (p *player) at(n int) int {
	at := n + p.t.track.StartAt + p.ahead
	if wish := p.camera.wishes(time.Now()); p.media.Video() && wish > p.obeyed {
		p.obeyed = wish
		for !p.media.Units[at%len(p.media.Units)].Key {
			at, p.ahead = at+1, p.ahead+1
		}
	}
	return at
}

// send sends unit n.
func (p *player) send(n int, due time.Time) error {
	at := p.at(n)
	unit := p.media.Units[at%len(p.media.Units)]
	// Its place in the order of presentation, counted from PLAY. It is sent when the last one that depends on it was
	// captured.
	place := n + unit.Place - at%len(p.media.Units) - p.behind
	sent := &Sent{Unit: unit, Number: n, Timestamp: p.base + uint32(place*p.media.Step)}
	if p.hooks.Unit != nil {
		sent.Data = slices.Clone(sent.Data)
		if !p.hooks.Unit(sent) {
			return nil
		}
	}
	if len(sent.Data) == 0 {
		return nil
	}
	p.captured = due.Add(-p.duration(n - place))
	if err := p.sendUnit(sent); err != nil {
		return err
	}
	p.camera.add(UnitSent)
	if unit.Key && p.media.Video() {
		p.camera.add(KeySent)
	}
	return nil
}

func (p *player) sendUnit(u *Sent) error {
	packets, err := p.pack(u.Data)
	if err != nil {
		return err
	}
	for i, rp := range packets {
		rp.Timestamp += u.Timestamp // the encoder's are relative to the unit
		rp.PayloadType = p.t.track.PayloadType
		packet := &Packet{Packet: *rp, Unit: u.Number, Index: i, Last: i == len(packets)-1, Key: u.Key}
		out := []*Packet{packet}
		if p.hooks.Packet != nil {
			out = p.hooks.Packet(packet)
		}
		for _, o := range out {
			if err := p.sendPacket(o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *player) sendPacket(o *Packet) error {
	data, err := o.Marshal()
	if err != nil {
		return err
	}
	p.ssrc, p.timestamp = o.SSRC, o.Timestamp
	p.packets++
	p.bytes += uint32(len(o.Payload))
	return p.t.writeRTP(data)
}

// report sends a sender report when it is time for one.
func (p *player) report(since time.Duration) error {
	r := p.t.track.Reports
	now := time.Now()
	if r.Never || p.packets == 0 || !p.lastReport.IsZero() && now.Sub(p.lastReport) < r.Every {
		return nil
	}
	p.lastReport = now
	ntp := NTP(now)
	if r.NTP != nil {
		ntp = r.NTP(now, since)
	}
	ticks := now.Sub(p.captured).Seconds() * float64(p.media.Clock)
	sr := &rtcp.SenderReport{SSRC: p.ssrc, NTPTime: ntp, RTPTime: p.timestamp + uint32(int64(ticks)),
		PacketCount: p.packets, OctetCount: p.bytes}
	if r.Edit != nil {
		r.Edit(sr)
	}
	data, err := sr.Marshal()
	if err != nil {
		return err
	}
	if r.Raw != nil {
		data = r.Raw(data)
	}
	p.camera.add(ReportSent)
	return p.t.writeRTCP(data)
}

// NTP returns a time in the format of NTP.
func NTP(t time.Time) uint64 {
	const from1900 = 2208988800 // seconds to 1970
	return uint64(t.Unix()+from1900)<<32 | uint64(t.Nanosecond())<<32/1e9
}
