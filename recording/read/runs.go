package read

import (
	"encoding/binary"
	"iter"
	"time"

	"github.com/waldo-robot/waldo/recording/index"
)

// Run is the messages of a channel in a chunk.
type Run struct {
	First, Last                 time.Time // log times
	FirstSequence, LastSequence uint32
	Count                       int
}

// Runs gives the messages of a channel chunk by chunk, in the order of the file, and reads next to nothing. Chunks that
// are compressed, or do not say where they have the messages, are left out.
func (f *File) Runs(c *Channel) iter.Seq[Run] {
	return func(yield func(Run) bool) {
		for _, chunk := range f.index.Chunks {
			first, last, count, err := index.Ends(f.file, f.size, chunk, c.ID)
			if err != nil {
				continue
			}
			if !yield(Run{
				First: wall(logged(first)), Last: wall(logged(last)), Count: count,
				FirstSequence: sequence(first), LastSequence: sequence(last),
			}) {
				return
			}
		}
	}
}

// sequence is the sequence of a message.
func sequence(body []byte) uint32 { return binary.LittleEndian.Uint32(body[2:]) }
