package tracks

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func (b *bench) reader() *Reader {
	b.t.Helper()
	r, err := b.hub.NewReader(b.t.Context(), front, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// waiting takes all that waits for a reader now.
func (b *bench) waiting(r *Reader) (pictures []Picture) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	time.AfterFunc(time.Millisecond, cancel)
	for {
		p, err := r.Next(ctx)
		if err != nil {
			return pictures
		}
		pictures = append(pictures, p)
	}
}

func TestReaderBeginsWithAKeyFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		v := b.viewer(&sink{ssrc: 7})
		b.send(20, true)
		r := b.reader() // the group is too long to be replayed
		synctest.Wait()
		if b.takeAsked() != 1 {
			t.Error("no key frame was asked for")
		}
		b.send(2, false)
		if got := b.waiting(r); len(got) != 0 {
			t.Fatalf("%d pictures before a key frame", len(got))
		}
		b.send(3, true)
		got := b.waiting(r)
		if len(got) != 3 || !got[0].Key || got[1].Key || len(got[0].Data) == 0 || got[2].Capture.IsZero() {
			t.Errorf("got %d pictures: %+v", len(got), got)
		}
		late := b.reader()
		if got := b.waiting(late); len(got) != 3 || !got[0].Key {
			t.Errorf("a reader that joins in a short group gets %d pictures", len(got))
		}
		for _, r := range []*Reader{r, late} {
			r.Close()
			r.Close()
		}
		b.end(v)
	})
}

// A reader that does not read gets nothing old: it goes on with a key frame, which is asked for when it reads again.
func TestSlowReaderGetsNothingOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, frames := range map[string]int{"a full queue": 100, "old pictures": maxQueue} {
			b := newBench(t)
			r := b.reader()
			b.send(1, true)
			b.waiting(r)
			b.takeAsked()
			b.send(frames, false)
			time.Sleep(time.Second)
			if got := b.waiting(r); len(got) > maxQueue || frames == maxQueue && len(got) != 0 {
				t.Errorf("%s: %d pictures waited for a second", name, len(got))
			}
			b.send(5, false)
			if got := b.waiting(r); len(got) != 0 || b.takeAsked() == 0 {
				t.Errorf("%s: %d pictures without a key frame, asked for %d", name, len(got), b.requests)
			}
			b.send(2, true)
			if got := b.waiting(r); len(got) != 2 || !got[0].Key {
				t.Errorf("%s: it does not go on: %d pictures", name, len(got))
			}
			if b.lost(lostByViewer) == 0 {
				t.Errorf("%s: what was lost is not counted", name)
			}
			r.AskKey()
			synctest.Wait()
			if b.takeAsked() == 0 {
				t.Errorf("%s: no key frame was asked for", name)
			}
			r.Close()
			b.end()
		}
	})
}

func TestReaderEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		r := b.reader()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		b.send(1, true)
		if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a picture waits, and the context has ended: %v", err)
		}
		b.waiting(r)
		close(b.feed.frames)
		if _, err := r.Next(context.Background()); !errors.Is(err, errStreamEnded) {
			t.Errorf("the stream has ended: %v", err)
		}
		r.Close()
		b.end()
		<-b.feed.closed
	})
}

// TestReaderThatIsNeverContent: one reader that asks for key frames all the time does not turn the stream into key
// frames for all.
func TestReaderThatIsNeverContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		r := b.reader()
		b.send(1, true)
		b.takeAsked()
		const seconds = 20
		for range seconds * 20 {
			r.AskKey()
			time.Sleep(50 * time.Millisecond)
		}
		if got, most := b.takeAsked(), wishBurst+seconds/int(wishGap.Seconds())+1; got == 0 || got > most {
			t.Errorf("the device was asked %d times in %d s, at most %d are due", got, seconds, most)
		}
		r.Close()
		b.end()
	})
}

// TestReaderThatLostItsBeginning gets the group again from a source that makes no key frame on request, however old it
// is by then.
func TestReaderThatLostItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.feed.never = true
		first := b.reader()
		b.send(100, true)
		late := b.reader()
		if got := b.waiting(late); len(got) != 100 || !got[0].Key {
			t.Fatalf("a late reader begins with %d pictures, want the group", len(got))
		}
		late.AskKey()
		if got := b.waiting(late); len(got) != 100 || !got[0].Key {
			t.Errorf("%d pictures came again, want the group", len(got))
		}
		for range 10 * againBurst {
			late.AskKey()
		}
		if got := b.waiting(late); len(got) > 100 {
			t.Errorf("%d pictures came again at once", len(got))
		}
		for _, r := range []*Reader{first, late} {
			r.Close()
		}
		b.end()
	})
}
