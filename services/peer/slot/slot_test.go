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
	if b.GetPublisher().GetId() <= 0 || b.GetPublisher().GetId() == 5 || b.GetEpoch() <= 0 || b.GetPublisher().GetBeginTime() == nil {
		t.Errorf("granted %v", b)
	}
	return b
}

func video(epoch int64, size int, key bool) *mediav1.VideoFrame {
	return &mediav1.VideoFrame{Epoch: epoch, Data: make([]byte, size), KeyFrame: key}
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
	r.Video(video(ann.GetEpoch(), 10, true))
	r.Audio(&mediav1.AudioFrame{Epoch: ann.GetEpoch()})
	bob := r.begin(t, "Bob", true)
	r.Video(video(ann.GetEpoch(), 10, true))
	r.Audio(&mediav1.AudioFrame{Epoch: ann.GetEpoch()})
	r.Video(video(0, 10, true))
	r.Video(video(bob.GetEpoch(), 10, true))
	if a, b := r.senders[0], r.senders[1]; a.video != 1 || a.audio != 1 || b.video != 1 || b.audio != 0 ||
		!strings.Contains(a.ended, "taken by Bob") || b.ended != "" {
		t.Errorf("Ann %+v, Bob %+v", a, b)
	}
	if want := fmt.Sprint(ann.GetPublisher().GetId(), " the slot was taken by Bob, OBS 31, whip"); len(r.wishes) != 1 || r.wishes[0] != want {
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
		r.Video(video(ann.GetEpoch(), 10, true)) // too late
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
			r.Video(video(ann.GetEpoch(), size, key))
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
	wishes := r.Wishes()
	defer wishes.Close()
	r.WantKeyFrame() // nobody is asked
	ann := r.begin(t, "Ann", false)
	r.WantKeyFrame()
	r.senders[0].refuse = errors.New("this cannot be shown")
	r.Video(video(ann.GetEpoch(), 1, true))
	bob := r.begin(t, "Bob", false)
	r.Video(video(ann.GetEpoch(), 1, true))
	id := ann.GetPublisher().GetId()
	if got := fmt.Sprint(r.wishes); got != fmt.Sprintf("[%d key %d this cannot be shown]", id, id) {
		t.Errorf("wished %s", got)
	}
	for range r.wishes {
		if w, err := wishes.Next(t.Context()); err != nil || w.GetPublicationId() != id {
			t.Errorf("%v, %v", w, err)
		}
	}
	if r.Publisher().GetPublisher().GetId() != bob.GetPublisher().GetId() || r.senders[0].ended != "this cannot be shown" ||
		r.senders[0].video != 1 {
		t.Error("Bob has lost the slot")
	}
}
