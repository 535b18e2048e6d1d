package foxglove_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/foxglove"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

func TestServerInfo(t *testing.T) {
	r := start(t)
	for _, protocol := range []string{foxglove.SDK, foxglove.Legacy} {
		c := r.connect(protocol)
		if c.info.Name != "rover" || c.info.SessionID != "7" || c.info.Metadata["waldo"] != "1.2.3" ||
			!slices.Equal(c.info.Capabilities, []string{"parameters", "parametersSubscribe"}) || c.info.DataStartTime != nil ||
			c.socket.Subprotocol() != protocol {
			t.Errorf("%s: %+v", c.socket.Subprotocol(), c.info)
		}
	}
	if c := r.connect(foxglove.Legacy, foxglove.SDK); c.socket.Subprotocol() != foxglove.SDK {
		t.Errorf("of both the gateway takes %s", c.socket.Subprotocol())
	}
}

// What is wrong is told, and the session goes on.
func TestRefusals(t *testing.T) {
	r := start(t)
	r.camera(fakecam.Config{})
	c := r.connect()
	ch := c.subscribe(1, "/front/video")
	c.message(1)
	subscribe := func(id, channel uint32) string {
		return fmt.Sprintf(`{"op":"subscribe","subscriptions":[{"id":%d,"channelId":%d}]}`, id, channel)
	}
	for _, tt := range []struct{ say, want string }{
		{subscribe(2, 999), "subscription 2 to channel 999: there is no such channel"},
		{subscribe(1, c.channel("/front").ID), "the id is used"},
		{subscribe(2, ch.ID), "/front/video has a subscription already, 1"},
		{`{"op":"unsubscribe","subscriptionIds":[7]}`, "1 of the subscriptions are not there"},
		{`{"op":"setParameters","parameters":[{"name":"robot","value":"x"}]}`, "can be read here, and not be set"},
		{`{"op":"advertise","channels":[{"id":1,"topic":"x","encoding":"json","schemaName":""}]}`, "cannot publish"},
		{`{"op":"dance"}`, "is not known here"},
		{`nonsense`, "not understood"},
	} {
		c.say(tt.say)
		m := c.until(tt.want, op("status"))
		if m.Level != 2 || !strings.Contains(m.Message, tt.want) || !strings.HasPrefix(m.ID, "waldo-") {
			t.Errorf("%s: %+v", tt.say, m)
		}
	}
	if err := c.socket.Write(c.ctx, websocket.MessageBinary, playback(1, 1, nil, "x")); err != nil {
		t.Fatal(err)
	}
	if m := c.until("there is no player", op("status")); !strings.Contains(m.Message, "nothing to be played") {
		t.Errorf("%+v", m)
	}
	c.message(1)
	// One that never stops is thrown out.
	for range 200 {
		c.say(`{"op":"dance"}`)
	}
	if e := c.closed(); e.Code != websocket.StatusPolicyViolation || !strings.Contains(e.Reason, "too many requests") {
		t.Errorf("%+v", e)
	}
}

func TestTooLarge(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.say(`{"op":"` + strings.Repeat("x", foxglove.MaxRequest) + `"}`)
	if e := c.closed(); e.Code != websocket.StatusMessageTooBig {
		t.Errorf("%+v", e)
	}
}

// No more than a thousand subscriptions, of which each needs a channel.
func TestManySubscriptions(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.channel("/log")
	type one struct {
		ID        int `json:"id"`
		ChannelID int `json:"channelId"`
	}
	all := make([]one, 1000)
	for i := range all {
		all[i] = one{i, i + 1000}
	}
	data, _ := json.Marshal(map[string]any{"op": "subscribe", "subscriptions": all})
	c.say(string(data))
	if m := c.until("none is there", op("status")); !strings.Contains(m.Message, "and 995 more") {
		t.Errorf("%s", m.Message)
	}
}

func TestParameters(t *testing.T) {
	r := start(t)
	cam := r.camera(fakecam.Config{})
	c := r.connect()
	c.channel("/front/video")
	c.say(`{"op":"getParameters","parameterNames":["robot","front.state","none"],"id":"q"}`)
	m := c.until("the values", op("parameterValues"))
	if m.ID != "q" || len(m.Parameters) != 2 || *m.Parameters[0].Value != "ready" || *m.Parameters[1].Value != "rover" {
		t.Errorf("%+v", m)
	}
	c.say(`{"op":"subscribeParameterUpdates","parameterNames":["front.state"]}`)
	c.say(`{"op":"getParameters","parameterNames":["front.kind"],"id":"done"}`)
	c.until("both were read", func(m text) bool { return m.ID == "done" })
	cam.Stop()
	m = c.until("the change", op("parameterValues"))
	if m.ID != "" || len(m.Parameters) != 1 || m.Parameters[0].Name != "front.state" || *m.Parameters[0].Value != "gone" {
		t.Errorf("%+v", m)
	}
}

// actuator is a device that says who drives it.
type actuator struct {
	states *device.Out[*controlv1.ControlState]
}

func (a *actuator) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

func TestLog(t *testing.T) {
	r := start(t)
	a := &actuator{}
	r.device("motors", "motor", func(k *device.Kit) device.Driver {
		a.states = device.NewOut[*controlv1.ControlState](k, "control", device.OutOptions{})
		return a
	})
	cam := r.camera(fakecam.Config{})
	c := r.connect()
	c.channel("/front/video")
	c.channel("/motors/control")
	ch := c.subscribe(0, "/log")
	read := func(c *client) string {
		_, data := c.message(0)
		m := c.decode(ch, data)
		return fmt.Sprintf("%d %s: %s", field(m, "level").Enum(), field(m, "name").String(), field(m, "message").String())
	}
	r.eventually("the stream is held", a.states.Held)
	a.states.Publish(&controlv1.ControlState{Holder: "anna"})
	if got := read(c); got != "2 motors: anna drives" || ch.SchemaName != "foxglove.Log" {
		t.Errorf("%q, %s", got, ch.SchemaName)
	}
	cam.Stop()
	gone := "4 front: gone: its process does not answer"
	if got := read(c); got != gone {
		t.Errorf("%q", got)
	}
	// Who comes later is told what was before.
	other := r.connect()
	other.subscribe(0, "/log")
	if one, two := read(other), read(other); one != "2 motors: anna drives" || two != gone {
		t.Errorf("%q, %q", one, two)
	}
}

// playback is a request to a player.
func playback(command byte, speed float32, seek *time.Time, id string) []byte {
	data := binary.LittleEndian.AppendUint32([]byte{3, command}, math.Float32bits(speed))
	if seek == nil {
		data = append(data, make([]byte, 9)...)
	} else {
		data = binary.LittleEndian.AppendUint64(append(data, 1), uint64(seek.UnixNano()))
	}
	return append(binary.LittleEndian.AppendUint32(data, uint32(len(id))), id...)
}

// player is a device that plays nothing, and does as if.
type player struct {
	playerv1.UnimplementedPlayerServiceServer
	out   *device.Out[*playerv1.PlayerState]
	turns chan *playerv1.PlayerState // has the state
}

var recorded = time.Unix(1_700_000_000, 0)

func (r *rig) player() *player {
	r.Helper()
	p := &player{turns: make(chan *playerv1.PlayerState, 1)}
	p.turns <- &playerv1.PlayerState{Epoch: 1, Name: "drive", StartTime: timestamppb.New(recorded), Speed: 1,
		Duration: durationpb.New(time.Minute), Offset: durationpb.New(10 * time.Second), Clock: durationpb.New(time.Hour)}
	r.device("tape", "player", func(k *device.Kit) device.Driver {
		p.out = device.NewOut[*playerv1.PlayerState](k, "player", device.OutOptions{})
		playerv1.RegisterPlayerServiceServer(k, p)
		return p
	})
	return p
}

// knowsPlayer waits until the gateway knows the player.
func (r *rig) knowsPlayer() {
	r.Helper()
	r.eventually("the gateway knows the player", func() bool {
		probe := r.connect()
		defer func() { _ = probe.socket.CloseNow() }()
		return slices.Contains(probe.info.Capabilities, "time")
	})
}

func (p *player) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// change changes the state, which is published.
func (p *player) change(f func(*playerv1.PlayerState)) *playerv1.PlayerState {
	old := <-p.turns
	s := &playerv1.PlayerState{Epoch: old.Epoch, Jump: old.Jump, Playing: old.Playing, Offset: old.Offset,
		Clock: old.Clock, Speed: old.Speed, Ended: old.Ended, Duration: old.Duration, StartTime: old.StartTime,
		Name: old.Name}
	f(s)
	p.out.Publish(s)
	p.turns <- s
	return s
}

func (p *player) GetPlayer(context.Context, *playerv1.GetPlayerRequest) (*playerv1.GetPlayerResponse, error) {
	return &playerv1.GetPlayerResponse{State: p.change(func(*playerv1.PlayerState) {})}, nil
}

func (p *player) Play(context.Context, *playerv1.PlayRequest) (*playerv1.PlayResponse, error) {
	return &playerv1.PlayResponse{State: p.change(func(s *playerv1.PlayerState) { s.Playing = true })}, nil
}

func (p *player) Pause(context.Context, *playerv1.PauseRequest) (*playerv1.PauseResponse, error) {
	return &playerv1.PauseResponse{State: p.change(func(s *playerv1.PlayerState) { s.Playing = false })}, nil
}

func (p *player) SetSpeed(_ context.Context, r *playerv1.SetSpeedRequest) (*playerv1.SetSpeedResponse, error) {
	return &playerv1.SetSpeedResponse{State: p.change(func(s *playerv1.PlayerState) { s.Speed = r.GetSpeed() })}, nil
}

func (p *player) Seek(_ context.Context, r *playerv1.SeekRequest) (*playerv1.SeekResponse, error) {
	return &playerv1.SeekResponse{State: p.change(func(s *playerv1.PlayerState) {
		s.Offset, s.Jump = r.GetOffset(), s.Jump+1
	})}, nil
}

// state is a state of playback that a client was told.
type state struct {
	status byte
	at     time.Time
	speed  float32
	jumped bool
	id     string
}

// state waits for a state of playback that fits.
func (c *client) state(what string, fits func(state) bool) state {
	c.Helper()
	for deadline := time.Now().Add(patience); ; {
		d := c.binary(5)
		s := state{d[1], time.Unix(0, int64(binary.LittleEndian.Uint64(d[2:]))),
			math.Float32frombits(binary.LittleEndian.Uint32(d[10:])), d[14] == 1, string(d[19:])}
		if len(s.id) != int(binary.LittleEndian.Uint32(d[15:])) {
			c.Fatalf("% x", d)
		}
		if fits(s) {
			return s
		}
		if time.Now().After(deadline) {
			c.Fatalf("not within %v: %s; the last: %+v", patience, what, s)
		}
	}
}

func TestPlayback(t *testing.T) {
	r := start(t)
	p := r.player()
	g := r.gauge()
	r.knowsPlayer()
	c := r.connect()
	if !slices.Equal(c.info.Capabilities, []string{"parameters", "parametersSubscribe", "time", "playbackControl"}) ||
		c.info.DataStartTime.Sec != recorded.Unix() || c.info.DataEndTime.Sec != recorded.Unix()+60 {
		t.Fatalf("%+v", c.info)
	}
	if s := c.state("the first", func(state) bool { return true }); s.status != 1 || s.jumped || s.speed != 1 ||
		!s.at.Equal(recorded.Add(10*time.Second)) {
		t.Errorf("%+v", s)
	}
	say := func(data []byte) {
		if err := c.socket.Write(c.ctx, websocket.MessageBinary, data); err != nil {
			t.Fatal(err)
		}
	}
	seek := recorded.Add(30 * time.Second)
	say(playback(1, 2, &seek, "one"))
	jumps := 0
	s := c.state("the answer", func(s state) bool {
		if s.jumped {
			jumps++
		}
		return s.id == "one"
	})
	if s.status != 1 || jumps != 1 || s.speed != 2 || !s.at.Equal(seek) {
		t.Errorf("%+v after %d jumps", s, jumps)
	}
	c.subscribe(0, "/gauge/reading")
	g.publish(r, 1)
	if at, _ := c.message(0); !at.Equal(seek) {
		t.Errorf("a message has the time %v, not that of the recording", at)
	}
	say(playback(0, 100, nil, "two"))
	s = c.state("the answer", func(s state) bool { return s.id == "two" })
	if s.status != 0 || s.jumped || s.speed != 10 || s.at.Before(seek) {
		t.Errorf("%+v", s)
	}
	if at := time.Unix(0, int64(binary.LittleEndian.Uint64(c.binary(2)[1:]))); at.Before(seek) {
		t.Errorf("it is %v", at)
	}
	p.change(func(s *playerv1.PlayerState) {
		s.Ended, s.Playing, s.Offset = true, false, durationpb.New(time.Minute)
	})
	if s := c.state("the end", func(s state) bool { return s.status == 3 }); !s.at.Equal(recorded.Add(time.Minute)) {
		t.Errorf("%+v", s)
	}
	beyond := recorded.Add(-time.Hour)
	say(playback(1, 1, &beyond, "three"))
	if s := c.state("the answer", func(s state) bool { return s.id == "three" }); !s.at.Equal(recorded) {
		t.Errorf("%+v", s)
	}
	// Another recording is another session.
	p.change(func(s *playerv1.PlayerState) { s.Name = "another" })
	if e := c.closed(); e.Code != websocket.StatusServiceRestart {
		t.Errorf("%+v", e)
	}
}

// Who may not play is not offered it, and is refused; the older sub-protocol does not know it.
func TestPlaybackIsRefused(t *testing.T) {
	r := start(t)
	r.player()
	r.knowsPlayer()
	r.as(roles.Viewer)
	viewer := r.connect()
	r.as(roles.Driver)
	older := r.connect(foxglove.Legacy)
	for _, c := range []*client{viewer, older} {
		if !slices.Equal(c.info.Capabilities, []string{"parameters", "parametersSubscribe", "time"}) {
			t.Errorf("%+v", c.info)
		}
		c.binary(2)
		if err := c.socket.Write(c.ctx, websocket.MessageBinary, playback(0, 1, nil, "x")); err != nil {
			t.Fatal(err)
		}
		if m := c.until("it is refused", op("status")); !strings.Contains(m.Message, "your role does not allow it") {
			t.Errorf("%+v", m)
		}
	}
}

// A player that comes later ends sessions, so that their clients connect again.
func TestPlayerComesLater(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.channel("/log")
	r.player()
	if e := c.closed(); e.Code != websocket.StatusServiceRestart || !strings.Contains(e.Reason, "connect again") {
		t.Errorf("%+v", e)
	}
}

// A slow client loses the oldest and is told, while another one gets everything; it goes on with a key frame.
func TestSlowClient(t *testing.T) {
	r := start(t)
	r.camera(fakecam.Config{FrameRate: 100, FrameBytes: 50_000})
	quick, slow := r.connect(), r.connect()
	ch := slow.subscribe(0, "/front/video")
	quick.subscribe(0, "/front/video")
	slow.message(0)
	last := int64(-1)
	lost := func() float64 {
		n, err := testutil.GatherAndCount(r.metrics, "waldo_gateway_foxglove_lost_total")
		if err != nil || n == 0 {
			return 0
		}
		families, _ := r.metrics.Gather()
		for _, f := range families {
			if f.GetName() == "waldo_gateway_foxglove_lost_total" {
				for _, m := range f.GetMetric() {
					if m.GetLabel()[0].GetValue() == "slow_client" {
						return m.GetCounter().GetValue()
					}
				}
			}
		}
		return 0
	}
	for lost() < 50 { // the slow one reads nothing meanwhile
		_, data := quick.message(0)
		n := field(quick.decode(ch, data), "sequence").Int()
		if last >= 0 && n != last+1 {
			t.Fatalf("the quick one gets %d after %d", n, last)
		}
		last = n
	}
	before, gap := int64(-1), false
	for told := false; !told || !gap; {
		m, data := slow.next()
		switch {
		case m.Op == "status":
			told = m.Level == 1 && m.ID == "waldo-lost" && strings.Contains(m.Message, "messages were lost")
		case len(data) > 13 && data[0] == 1:
			frame := slow.decode(ch, data[13:])
			n := field(frame, "sequence").Int()
			if before >= 0 && n != before+1 {
				gap = true
				if !field(frame, "key_frame").Bool() {
					t.Fatalf("after %d comes %d, no key frame", before, n)
				}
			}
			before = n
		}
	}
}

// One that takes nothing at all is cut off.
func TestStalledClient(t *testing.T) {
	r := start(t)
	r.gateway.SetPatience(2 * time.Second)
	r.camera(fakecam.Config{FrameRate: 100, FrameBytes: 50_000})
	c := r.connect()
	c.subscribe(0, "/front/video")
	c.message(0)
	r.eventually("the client is cut off", func() bool {
		families, _ := r.metrics.Gather()
		for _, f := range families {
			if f.GetName() == "waldo_gateway_foxglove_clients" {
				return f.GetMetric()[0].GetGauge().GetValue() == 0
			}
		}
		return false
	})
}

// At the end of the gateway, and of the visit, the client is told why.
func TestEnd(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.channel("/log")
	r.end()
	if e := c.closed(); e.Code != websocket.StatusGoingAway || !strings.Contains(e.Reason, "the gateway is stopping") {
		t.Errorf("%+v", e)
	}
}
