package connect

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/video/source"
)

// backlog is a queue that fills by half a second each second from the 20th on, is 3 s long for 16 s, and empties.
func backlog(i int) time.Duration {
	at := time.Duration(i) * interval
	return max(0, min((at-20*time.Second)/2, 3*time.Second, 42*time.Second-at))
}

// A camera whose pictures become older and older is connected again, which empties the queue.
func TestOlderAndOlder(t *testing.T) {
	line(t, doubling, []script{{pictures: -1, age: backlog}}, func(t *testing.T, l *Line, c *camera) {
		s, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = s.(source.Watcher).Watch(t.Context())
		if since := time.Since(c.made); since > 30*time.Second || !strings.Contains(err.Error(), "older and older") {
			t.Errorf("after %v: %v", since, err)
		}
		_ = s.Close()
	})
}

// A publisher may never come back. It stays, but its old pictures are not shown, and people are told why.
func TestAPublisherThatIsBehind(t *testing.T) {
	lineOf(t, Config{Policy: doubling, Pushed: true}, []script{{pictures: -1, age: backlog}},
		func(t *testing.T, l *Line, c *camera) {
			s, err := l.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var total, lost int
			done := make(chan error, 1)
			go func() {
				done <- s.Capture(ctx, func(f source.Frame) {
					if at := time.Since(c.made); at > 29*time.Second && at < 41*time.Second {
						t.Errorf("after %v a picture is shown that is %v old", at, time.Since(f.Time))
					}
					if f.Lost > 0 && !f.Key {
						t.Errorf("after %d lost pictures comes one that cannot be decoded", f.Lost)
					}
					total, lost = total+1+f.Lost, lost+f.Lost
				})
			}()
			time.Sleep(35 * time.Second)
			synctest.Wait()
			if st := l.Status(); st.State != Stalled || st.FPS != 0 || st.Err == nil ||
				!strings.Contains(st.Err.Error(), "the publisher is 3.0 s behind") || st.Attributes["behind"] != st.Err.Error() {
				t.Errorf("behind: %+v", st)
			}
			time.Sleep(15*time.Second - interval/2)
			synctest.Wait()
			if st := l.Status(); st.State != Connected || st.Err != nil || st.FPS < 24 || st.Attributes["behind"] != "" {
				t.Errorf("when it has caught up: %+v", st)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if len(c.dials) != 1 || total != int(50*time.Second/interval) || lost < 300 {
				t.Errorf("%d connections, %d pictures, %d of them lost", len(c.dials), total, lost)
			}
		})
}
