package loudspeaker

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/g711"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/card/cardtest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var played = pcm.Format{Rate: pcm.OpusRate, Channels: 1}

// people are talkers, and the camera that they talk through.
type people struct {
	stream.Demand
	talking atomic.Bool

	refuses error         // to open
	slow    time.Duration // before it is open
	takes   feed.Track

	mu     sync.Mutex
	opened int
	open   int
	breaks error // what the next Say returns
	said   []block
	told   []string // by Changed
}

// block is a block that came to the camera.
type block struct {
	data []byte
	at   time.Duration
	came time.Time
}

func (p *people) Talking() bool { return p.talking.Load() }

// talk begins to talk, until the end is called.
func (p *people) talk() (end func()) {
	p.talking.Store(true)
	release := p.Want()
	return func() {
		p.talking.Store(false)
		release()
	}
}

func (p *people) connect(ctx context.Context) (feed.Voice, error) {
	select {
	case <-time.After(p.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses != nil {
		return nil, p.refuses
	}
	p.opened++
	p.open++
	return voice{p}, nil
}

func (p *people) loudspeaker() *Loudspeaker {
	if p.takes.MediaType == "" {
		p.takes = feed.Track{MediaType: feed.PCMA, SampleRate: 8000, Channels: 1}
	}
	return New(Config{Format: played, Talkers: p, Talk: p.connect, Changed: func(takes string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.told = append(p.told, takes)
	}})
}

// counts returns how many back channels were opened, are open, and how many blocks were said.
func (p *people) counts() [3]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return [3]int{p.opened, p.open, len(p.said)}
}

func (p *people) interrupt(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.breaks = err
}

type voice struct{ *people }

func (v voice) Track() feed.Track { return v.takes }

func (v voice) Say(data []byte, at time.Duration) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.breaks; err != nil {
		v.breaks = nil
		return err
	}
	v.said = append(v.said, block{append([]byte(nil), data...), at, time.Now()})
	return nil
}

func (v voice) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open--
	return nil
}

// sine is a tone of 440 Hz at half of full scale.
func sine() (fill func([]float32), filled *atomic.Int64) {
	filled = &atomic.Int64{}
	return func(samples []float32) {
		n := filled.Add(int64(len(samples))) - int64(len(samples))
		for i := range samples {
			samples[i] = float32(0.5 * math.Sin(2*math.Pi*440*float64(n+int64(i))/pcm.OpusRate))
		}
	}, filled
}

// run plays in a bubble while test runs, and returns why Play ended.
func run(t *testing.T, p *people, test func(filled *atomic.Int64)) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		fill, filled := sine()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			err = p.loudspeaker().Play(ctx, fill)
		}()
		test(filled)
		cancel()
		<-ended
		if n := p.counts()[1]; n != 0 {
			t.Errorf("%d back channels are open afterwards", n)
		}
	})
	return err
}

func TestConformance(t *testing.T) {
	p := &people{}
	defer p.talk()()
	cardtest.Run(t, played, func(*testing.T) card.Card {
		return card.Card{Speaker: p.loudspeaker(), Attributes: map[string]string{"speaker": "back channel"}}
	})
}

// The back channel is there while somebody talks and for a while afterwards, and only then.
func TestOpensWhileSomebodyTalks(t *testing.T) {
	p := &people{}
	expect := func(when string, want [3]int) {
		t.Helper()
		synctest.Wait()
		if got := p.counts(); got != want {
			t.Errorf("%s: %d opened, %d open, %d blocks; want %d", when, got[0], got[1], got[2], want)
		}
	}
	err := run(t, p, func(filled *atomic.Int64) {
		time.Sleep(time.Minute)
		expect("nobody talks", [3]int{0, 0, 0})
		end := p.talk()
		time.Sleep(time.Second + 1)
		expect("talking", [3]int{1, 1, 50})
		end()
		time.Sleep(Linger / 2)
		expect("a pause", [3]int{1, 1, 75})
		end = p.talk()
		time.Sleep(time.Second)
		expect("the next sentence", [3]int{1, 1, 125})
		end()
		time.Sleep(Linger + length)
		expect("the end", [3]int{1, 0, 174})
		before := filled.Load()
		release := p.Want() // somebody listens to the speaker
		time.Sleep(time.Second + 1)
		synctest.Wait()
		release()
		expect("listening", [3]int{1, 0, 174})
		if n := filled.Load() - before; n != pcm.OpusRate {
			t.Errorf("a listener of a second got %d samples", n)
		}
		defer p.talk()()
		time.Sleep(time.Second)
		expect("talking again", [3]int{2, 1, 174 + 50})
	})
	if err != nil {
		t.Error(err)
	}
	for i, b := range p.said[:174] {
		if b.at != time.Duration(i)*length || len(b.data) != 160 {
			t.Fatalf("block %d of %d bytes is at %v", i, len(b.data), b.at)
		}
	}
	if got := strings.Join(p.told, "|"); got != "G.711 A-law, 8000 Hz mono||G.711 A-law, 8000 Hz mono|" {
		t.Errorf("told %q", got)
	}
}

// Whatever the camera takes, it gets the tone that is played, as it is filled: 20 ms later.
func TestEncodings(t *testing.T) {
	decodeLaw := func(law func([]byte) []byte) func([]byte) []float32 {
		return func(data []byte) []float32 { return linear(law(data)) }
	}
	aLaw := decodeLaw(func(data []byte) []byte { var a g711.Alaw; a.Unmarshal(data); return a })
	muLaw := decodeLaw(func(data []byte) []byte { var m g711.Mulaw; m.Unmarshal(data); return m })
	for _, test := range []struct {
		takes  feed.Track
		decode func([]byte) []float32
	}{
		{feed.Track{MediaType: feed.PCMA, SampleRate: 8000, Channels: 1}, aLaw},
		{feed.Track{MediaType: feed.PCMU, SampleRate: 8000}, muLaw},
		{feed.Track{MediaType: feed.PCMU, SampleRate: 16000, Channels: 1}, muLaw},
		{feed.Track{MediaType: feed.L16, SampleRate: 44100, Channels: 2}, linear},
		{feed.Track{MediaType: feed.L16, SampleRate: 48000, Channels: 1}, linear},
		{feed.Track{MediaType: feed.L16, SampleRate: 11025, Channels: 1}, linear},
	} {
		p := &people{takes: test.takes}
		if err := run(t, p, func(*atomic.Int64) {
			defer p.talk()()
			time.Sleep(1100 * time.Millisecond)
		}); err != nil {
			t.Fatal(err)
		}
		var heard []float32
		channels, due := max(test.takes.Channels, 1), time.Duration(0)
		for i, b := range p.said {
			if (b.at-due).Abs() > time.Microsecond || len(b.data) > most || b.came.Sub(p.said[0].came)-b.at > length {
				t.Fatalf("%+v: block %d of %d bytes at %v came %v after the first", test.takes, i, len(b.data), b.at,
					b.came.Sub(p.said[0].came))
			}
			samples := test.decode(b.data)
			due += time.Duration(len(samples)/channels) * time.Second / time.Duration(test.takes.SampleRate)
			for i := 0; i < len(samples); i += channels {
				if heard = append(heard, samples[i]); samples[i] != samples[i+channels-1] {
					t.Fatal("the channels differ")
				}
			}
		}
		m := tonetest.Of(heard[test.takes.SampleRate/20:test.takes.SampleRate], test.takes.SampleRate)
		if math.Abs(m.Hz-440) > 0.5 || math.Abs(m.Level+6) > 0.3 || m.Pure < 0.99 || len(m.Gaps) > 0 {
			t.Errorf("%+v: heard %+v", test.takes, m)
		}
	}
}

func linear(data []byte) []float32 {
	var samples []float32
	for i := 0; i+1 < len(data); i += 2 {
		samples = append(samples, float32(int16(uint16(data[i])<<8|uint16(data[i+1])))/(1<<15))
	}
	return samples
}

var errBroken = errors.New("broken")

func TestTroubleEndsPlay(t *testing.T) {
	for name, test := range map[string]struct {
		people *people
		breaks error
		says   string
	}{
		"refused":     {&people{refuses: errBroken}, nil, "broken"},
		"breaks":      {&people{}, errBroken, "broken"},
		"AAC":         {&people{takes: feed.Track{MediaType: feed.AAC, SampleRate: 16000}}, nil, "takes audio/aac: set"},
		"rate":        {&people{takes: feed.Track{MediaType: feed.L16, SampleRate: 4000}}, nil, "4000 samples"},
		"channels":    {&people{takes: feed.Track{MediaType: feed.L16, SampleRate: 8000, Channels: 6}}, nil, "6 channels"},
		"opens never": {&people{slow: time.Hour}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := test.people
			p.breaks = test.breaks
			err := run(t, p, func(*atomic.Int64) {
				defer p.talk()()
				time.Sleep(time.Second)
			})
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
}

// A back channel that has worked is opened again when it breaks.
func TestBreaksAndIsOpenedAgain(t *testing.T) {
	p := &people{}
	if err := run(t, p, func(*atomic.Int64) {
		defer p.talk()()
		for range 3 {
			time.Sleep(young + length)
			p.interrupt(errBroken)
		}
		time.Sleep(length + 1)
	}); err != nil {
		t.Error(err)
	}
	if got := p.counts()[0]; got != 4 {
		t.Errorf("opened %d times, want 4", got)
	}
}
