package device

import (
	"strings"
	"sync"
	"testing"

	"github.com/waldo-robot/waldo/pkg/handover"
)

// TestAPredecessorThatGoesOn, at whatever point, and says so: nothing of the new process is left, which would otherwise
// take the end of the conversation for that of the old process, and serve beside it.
func TestAPredecessorThatGoesOn(t *testing.T) {
	for _, at := range []handover.Kind{"", handover.Hello, handover.Take, handover.Serve, handover.Yield} {
		t.Run("asked for "+string(at), func(t *testing.T) {
			beside := at != handover.Yield
			s := newStage(t, (&film{}).kind(beside, nil))
			s.watch(t, s.old.Kit().Epoch())
			one, other, err := handover.Pair()
			if err != nil {
				t.Fatal(err)
			}
			conn, err := handover.Open(one)
			if err != nil {
				t.Fatal(err)
			}
			o := &succession{}
			if o.next, err = handover.Open(other); err != nil {
				t.Fatal(err)
			}
			from := &predecessor{p: s.old, conn: conn, taken: func() {}}
			t.Cleanup(func() { closeAll(from.sockets) })
			var answering sync.WaitGroup
			answering.Go(func() {
				defer conn.Close()
				for {
					var m handover.Message
					if at != "" {
						var err error
						if m, _, err = conn.Receive(); err != nil {
							return
						}
					}
					if m.Kind == at {
						_ = conn.Send(handover.Message{Kind: handover.Refused, Reason: "it is needed"})
						from.takeBack()
						return
					}
					_ = from.answer(m)
				}
			})
			if at == "" {
				answering.Wait() // the word is there before the new process asks
			}
			p, err := o.succeed(t, s, (&film{}).kind(beside, nil))
			answering.Wait()
			if p != nil || err == nil || !strings.Contains(err.Error(), "it is needed") {
				t.Errorf("%v, want %q", err, "it is needed")
			}
			s.seen(t, s.old.Kit().Epoch())
		})
	}
}

// TestAQuestionOfANewerProgram is refused, so that the program learns that this process goes on.
func TestAQuestionOfANewerProgram(t *testing.T) {
	s := newStage(t, (&film{}).kind(true, nil))
	o := s.offer(t, false)
	if err := o.next.Send(handover.Message{Kind: "bequeath"}); err != nil {
		t.Fatal(err)
	}
	m, _, err := o.next.Receive()
	if err != nil || m.Kind != handover.Refused || !strings.Contains(m.Reason, `"bequeath"`) {
		t.Errorf("the answer is %+v, %v", m, err)
	}
	if err := <-o.answered; err == nil || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("the old process says %v", err)
	}
	s.watch(t, s.old.Kit().Epoch())
}
