package reel

import (
	"os"
	"time"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/write"
)

// part is one file of a recording. All but close and drop need Reel.mu.
type part struct {
	name   folder.Name
	file   *write.File
	done   func()
	closed chan struct{}

	channels map[*recording.Channel]write.Channel
	known    map[recording.Channel]write.Channel
}

func newPart(n folder.Name, f *write.File, done func()) *part {
	return &part{name: n, file: f, done: done, closed: make(chan struct{}),
		channels: map[*recording.Channel]write.Channel{}, known: map[recording.Channel]write.Channel{}}
}

// write adds a message with its log time.
func (p *part) write(m Message, logged time.Time) error {
	c, known := p.channels[m.Channel]
	if !known {
		var err error
		if c, err = p.add(m.Channel); err != nil {
			return err
		}
	}
	return p.file.Write(c, write.Message{
		Logged: logged, Published: m.Captured, Sequence: uint32(m.Sequence), Key: m.Key && InterCoded(m.Channel),
		Data: m.Data,
	})
}

// add adds a channel, unless one like it is there.
func (p *part) add(of *recording.Channel) (write.Channel, error) {
	c, has := p.known[*of]
	if !has {
		var err error
		if c, err = p.file.Add(*of); err != nil {
			return 0, err
		}
		p.known[*of] = c
	}
	p.channels[of] = c
	return c, nil
}

// close completes the file.
func (p *part) close() error {
	defer p.done()
	defer close(p.closed)
	return p.file.Close()
}

// drop removes a file that has no message.
func (p *part) drop() {
	defer p.done()
	defer close(p.closed)
	p.file.Abandon()
	_ = os.Remove(p.file.Path() + write.PartSuffix) // one that stays is empty, and removed at the next start
}
