package slot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a slot, and what happened.
type rig struct {
	*Slot
	senders []*sender
	wishes  []string // "id what"
	has     []string // who has had the slot
}

type sender struct {
	who          *peerv1.Publisher
	refuse       error
	video, audio int
	ended        string
}

func (s *sender) Video(*mediav1.VideoFrame) error { s.video++; return s.refuse }
func (s *sender) Audio(*mediav1.AudioFrame)       { s.audio++ }
func (s *sender) End(why string)                  { s.ended = why }

func newRig(maxBitrate int) *rig {
	r := &rig{}
	r.Slot = New(Config{
		MaxBitrate: maxBitrate,
		Open: func(who *peerv1.Publisher) Sender {
			s := &sender{who: who}
			r.senders = append(r.senders, s)
			return s
		},
		Wish: func(w *peerv1.Wish) {
			what := "key"
			if e := w.GetEnded(); e != "" {
				what = e
			}
			r.wishes = append(r.wishes, fmt.Sprint(w.GetPublicationId(), " ", what))
		},
		Changed: func(who *peerv1.Publisher) { r.has = append(r.has, who.GetName()) },
	})
	return r
}

func (r *rig) begin(t *testing.T, name string, take bool) *peerv1.BeginResponse {
	t.Helper()
	b, err := r.Begin(&peerv1.Publisher{Name: name, Program: "OBS 31", Via: "whip", Id: 5}, take)
	if err != nil {
		t.Fatal(err)
	}
	if b.GetPublisher().GetId() <= 0 || b.GetPublisher().GetId() == 5 || b.GetEpoch() <= 0 ||
		b.GetPublisher().GetBeginTime() == nil {
		t.Errorf("granted %v", b)
	}
	return b
}

func (r *rig) open(t *testing.T, name string) *Publication {
	t.Helper()
	p, err := r.Open(&peerv1.Publisher{Name: name}, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func video(epoch int64, size int, key bool) *mediav1.VideoFrame {
	return &mediav1.VideoFrame{Epoch: epoch, Data: make([]byte, size), KeyFrame: key,
		Format: &mediav1.VideoFormat{MediaType: media.H264}}
}

func TestOnePublisherAtATime(t *testing.T) {
	r := newRig(0)
	if r.Publisher().GetPublisher() != nil || !errors.Is(r.End(0), ErrEnded) {
		t.Error("a new slot is not free")
	}
	ann := r.begin(t, "Ann", false)
	_, err := r.Begin(&peerv1.Publisher{Name: "Bob"}, false)
	if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "Ann, OBS 31, whip") {
		t.Errorf("Bob gets %v", err)
	}
	_ = r.Video(video(ann.GetEpoch(), 10, true))
	r.Audio(&mediav1.AudioFrame{Epoch: ann.GetEpoch()})
	bob := r.begin(t, "Bob", true)
	_ = r.Video(video(ann.GetEpoch(), 10, true))
	r.Audio(&mediav1.AudioFrame{Epoch: ann.GetEpoch()})
	_ = r.Video(video(0, 10, true))
	_ = r.Video(video(bob.GetEpoch(), 10, true))
	if a, b := r.senders[0], r.senders[1]; a.video != 1 || a.audio != 1 || b.video != 1 || b.audio != 0 ||
		!strings.Contains(a.ended, "taken by Bob") || b.ended != "" {
		t.Errorf("Ann %+v, Bob %+v", a, b)
	}
	want := fmt.Sprint(ann.GetPublisher().GetId(), " the slot was taken by Bob, OBS 31, whip")
	if len(r.wishes) != 1 || r.wishes[0] != want {
		t.Errorf("wishes %q, want %q", r.wishes, want)
	}
	if !errors.Is(r.End(ann.GetEpoch()), ErrEnded) {
		t.Error("Ann can end what Bob sends")
	}
	if p := r.Publisher(); p.GetPublisher().GetName() != "Bob" || p.GetAge() == nil {
		t.Errorf("%v has it", p)
	}
	if err := r.End(bob.GetEpoch()); err != nil || r.Publisher().GetPublisher() != nil {
		t.Errorf("Bob cannot end: %v", err)
	}
	if s := r.Stats(); s != (Stats{Publications: 2, Foreign: 3}) {
		t.Errorf("%+v", s)
	}
	if got := fmt.Sprintf("%q", r.has); got != `["Ann" "Bob" ""]` {
		t.Errorf("had by %s", got)
	}
}

func TestSilenceFreesTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(0)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		free := func() bool { synctest.Wait(); return r.Publisher().GetPublisher() == nil }
		time.Sleep(3 * time.Second)
		ann := r.begin(t, "Ann", false) // who never sends
		if r.Publisher().GetAge() != nil {
			t.Error("something came")
		}
		time.Sleep(Silence - time.Millisecond)
		if free() {
			t.Error("it is free too early")
		}
		time.Sleep(2 * time.Millisecond)
		if !free() || !strings.Contains(r.senders[0].ended, "nothing has come") {
			t.Error("it is not free")
		}
		_ = r.Video(video(ann.GetEpoch(), 10, true)) // too late
		bob := r.begin(t, "Bob", false)
		for range 4 {
			time.Sleep(4 * time.Second)
			r.Audio(&mediav1.AudioFrame{Epoch: bob.GetEpoch()})
			if free() {
				t.Fatal("it is free while Bob sends")
			}
		}
		cancel()
		<-done
		if !free() || r.senders[1].ended != "the device is stopping" || r.senders[0].video != 0 {
			t.Errorf("at the end: %+v", r.senders[1])
		}
		if _, err := r.Begin(nil, true); !errors.Is(err, ErrStopping) {
			t.Errorf("Begin after the end: %v", err)
		}
	})
}

func TestTooManyBits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(80_000) // 10 kB a second, 20 kB at once
		ann := r.begin(t, "Ann", false)
		step := func(name string, size int, key, want bool) {
			t.Helper()
			before := r.senders[0].video
			_ = r.Video(video(ann.GetEpoch(), size, key))
			if got := r.senders[0].video > before; got != want {
				t.Errorf("%s: passed on: %v", name, got)
			}
		}
		step("a large key frame", 19_000, true, true)
		step("a small frame", 900, false, true)
		step("too much", 2000, false, false)
		time.Sleep(time.Second)
		step("a frame that depends on it", 100, false, false)
		step("a key frame that does not fit", 12_000, true, false)
		step("a frame that depends on that", 10, false, false)
		step("a key frame that fits", 9000, true, true)
		step("what follows", 1000, false, true)
		for range 100 { // as much as is allowed
			time.Sleep(100 * time.Millisecond)
			step("steady", 1000, false, true)
		}
		if s := r.Stats(); s.Excess != 4 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWishesAndWhatCannotBeShown(t *testing.T) {
	r := newRig(0)
	r.WantKeyFrame() // nobody is asked
	ann := r.open(t, "Ann")
	r.WantKeyFrame()
	r.senders[0].refuse = errors.New("this cannot be shown")
	if err := ann.Video(video(0, 1, true)); !errors.Is(err, r.senders[0].refuse) {
		t.Errorf("Ann is told %v", err)
	}
	bob := r.open(t, "Bob")
	if err := ann.Video(video(0, 1, true)); err != nil {
		t.Errorf("Ann, who has no slot: %v", err)
	}
	id := ann.Granted().GetPublisher().GetId()
	if got := fmt.Sprint(r.wishes); got != fmt.Sprintf("[%d key %d this cannot be shown]", id, id) {
		t.Errorf("wished %s", got)
	}
	if r.Publisher().GetPublisher().GetId() != bob.Granted().GetPublisher().GetId() ||
		r.senders[0].ended != "this cannot be shown" || r.senders[0].video != 1 {
		t.Error("Bob has lost the slot")
	}
}

// TestTheEndIsNeverLost: however many wishes come before somebody listens, the end of the publication is heard, and a
// key frame is wished once.
func TestTheEndIsNeverLost(t *testing.T) {
	r := newRig(0)
	ann := r.open(t, "Ann")
	for range 100 {
		r.WantKeyFrame()
	}
	if ann.Err() != nil {
		t.Errorf("it has ended: %v", ann.Err())
	}
	r.begin(t, "Bob", true)
	for range 100 {
		r.WantKeyFrame() // of Bob
	}
	select {
	case <-ann.Ended():
	default:
		t.Fatal("Ann is not told")
	}
	if err := ann.Err(); err == nil || !strings.Contains(err.Error(), "taken by Bob") {
		t.Errorf("Ann is told %v", err)
	}
	if n := len(ann.KeyFrames()); n != 1 {
		t.Errorf("%d key frames are wished of Ann", n)
	}
}

func TestTheEndOfAPublication(t *testing.T) {
	r := newRig(0)
	for name, tt := range map[string]struct {
		end  func(*Publication)
		want string // "": by its publisher
	}{
		"by itself":     {(*Publication).End, ""},
		"with a reason": {func(p *Publication) { p.EndWith(errors.New("the disk is full")) }, ""},
		"by Refuse":     {func(p *Publication) { _ = r.Refuse(p.Granted().GetEpoch(), ErrEnded) }, ErrEnded.Error()},
	} {
		p := r.open(t, name)
		tt.end(p)
		tt.end(p) // which changes nothing
		<-p.Ended()
		if got := fmt.Sprint(p.Err()); got != tt.want && (p.Err() != nil || tt.want != "") {
			t.Errorf("%s: %s, want %q", name, got, tt.want)
		}
		if who := r.Publisher().GetPublisher(); who != nil {
			t.Errorf("%s: %v has the slot", name, who)
		}
	}
}

func TestASignOfLifeKeepsTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(0)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		ann := r.open(t, "Ann")
		for range 5 {
			time.Sleep(Silence - time.Second)
			if err := ann.Alive(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if r.Publisher().GetPublisher() == nil {
			t.Error("the slot is free")
		}
		if r.Publisher().GetAge() != nil {
			t.Error("a sign of life counts as a frame")
		}
		time.Sleep(Silence)
		if synctest.Wait(); ann.Err() == nil || !errors.Is(ann.Alive(), ErrEnded) {
			t.Error("the slot is not free")
		}
		cancel()
		<-done
	})
}

// TestPicturesThatStandAlone are not bounded by the bit rate of video.
func TestPicturesThatStandAlone(t *testing.T) {
	r := newRig(80_000)
	ann := r.open(t, "Ann")
	for _, mediaType := range []string{media.JPEG, media.Raw} {
		f := video(0, 1<<20, true)
		f.Format.MediaType = mediaType
		if err := ann.Video(f); err != nil {
			t.Error(err)
		}
	}
	if s := r.Stats(); s.Excess != 0 || r.senders[0].video != 2 {
		t.Errorf("%+v, %d passed on", s, r.senders[0].video)
	}
}
