package device

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/waldo-robot/waldo/pkg/handover"
)

// predecessor is the side of a process from which another one takes over.
type predecessor struct {
	p       *Process
	conn    *handover.Conn
	force   bool       // even while somebody holds a lease
	taken   func()     // called when it is done
	sockets []*os.File // on which p listens; they stay open when p has stopped
	asked   []string   // what they are for and where
	yielded bool       // p has stopped
	left    bool       // p answers no calls on the bus
}

// handOver answers a successor until that has taken over, which is done, or has failed, which is why. In the second
// case the process goes on, unless it has yielded: then it has to be started again, with its sockets.
func (l *predecessor) handOver() (done bool, why error) {
	defer l.conn.Close()
	for {
		m, files, err := l.conn.Receive()
		closeAll(files) // a successor has none to give
		if errors.Is(err, handover.ErrGone) {
			err = errors.New("the new process ended before it had taken over")
		}
		switch {
		case err != nil:
		case m.Kind == handover.Done:
			l.taken()
			return true, nil
		case m.Kind == handover.Failed:
			err = errors.New(plain(m.Reason))
		default:
			err = l.answer(m)
		}
		if err != nil {
			// Without this word, a successor that still runs would take the end of the connection for that of the process.
			_ = l.conn.Send(handover.Message{Kind: handover.Refused, Reason: plain(err.Error())})
			l.takeBack()
			return false, err
		}
	}
}

// answer answers one question. Its error ends the handover.
func (l *predecessor) answer(m handover.Message) error {
	k := l.p.kit
	switch m.Kind {
	case handover.Hello:
		if held := leases(k.restartObstacles()); len(held) > 0 && !l.force {
			return refuse(held)
		}
		return l.welcome()
	case handover.Take:
		if o := k.findOut(m.Stream); o != nil {
			o.cease()
		}
		return l.reply(handover.Message{Kind: handover.Taken})
	case handover.Yield:
		if held := leases(k.restartObstacles()); len(held) > 0 && !l.force {
			return refuse(held)
		}
		left := k.estate()
		k.speak(false)
		l.yielded = true
		l.p.stopWithin(0)
		return l.conn.Send(handover.Message{Kind: handover.Yielded, Estate: left})
	case handover.Serve:
		k.speak(false)
		l.left = true
		k.leaveBus()
		return l.reply(handover.Message{Kind: handover.Served, Estate: k.estate()})
	default:
		return fmt.Errorf("the new process asks for %.20q, which this one does not know: restart it with waldo restart",
			m.Kind)
	}
}

// refuse is why hardware that is in use is not handed over.
func refuse(held []Obstacle) error {
	return errors.New(words(held) + ": it would stop; wait until it is free, or use --force")
}

// welcome sends what this process has now, and the sockets on which it listens.
func (l *predecessor) welcome() error {
	left := l.p.kit.estate()
	for i, one := range l.p.at.sockets {
		socket, ok := one.(*net.TCPListener)
		if !ok {
			continue
		}
		f, err := socket.File()
		if err != nil {
			return fmt.Errorf("hand over the socket of %s: %w", l.p.at.asked[i], err)
		}
		l.sockets, left.Listens = append(l.sockets, f), append(left.Listens, l.p.at.asked[i])
	}
	l.asked = left.Listens
	return l.conn.Send(handover.Message{Kind: handover.Welcome, Estate: left}, l.sockets...)
}

// reply answers when the bus has all that was published before.
func (l *predecessor) reply(m handover.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin/2)
	defer cancel()
	_ = l.p.kit.conn.Flush(ctx) // a bus that is away has nothing that could be overtaken
	return l.conn.Send(m)
}

// takeBack makes the process again what it was, unless it has yielded.
func (l *predecessor) takeBack() {
	if l.yielded {
		return
	}
	k := l.p.kit
	if l.left {
		if err := k.serveBus(); err != nil {
			k.Log.Error("calls on the bus are not answered any more", "error", err)
		}
	}
	for _, o := range k.allOuts() {
		if o.resume() {
			o.ask(k.stopping) // readers may have seen frames of the other process
		}
	}
	k.speak(true)
	k.changed()
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // what was wanted of it has another descriptor
	}
}

// leaveBus has the bus send no more calls to this process; those under way are answered.
func (k *Kit) leaveBus() {
	k.mu.Lock()
	served := k.served
	k.mu.Unlock()
	served.Leave()
}

// takeOverLimit bounds a handover whose successor neither fails nor gets on.
const takeOverLimit = takeWithin + 10*time.Second
