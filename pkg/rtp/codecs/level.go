package codecs

// fragmentation is how a codec marks the payloads that a part of a frame is cut into.
type fragmentation struct {
	head int // bytes before the data
	// is reports whether a payload is such a fragment, and whether it is the first of its part.
	is func(payload []byte) (fragment, first bool)
	// last marks the last fragment of its part, and the others as not; nil: it has no mark.
	last func(head []byte, last bool)
	// ends reports whether a fragment is the last of its part; nil: the last payload of the frame is.
	ends func(head []byte) bool
}

// Level makes the first payload of a frame shorter by so many bytes than the next, which those after it take over: the
// first packet of a frame has longer headers, and packets of one size cost less to send. A payload more is needed if
// the last one has no room. Frames that begin otherwise than with a part that is cut stay as they are. The payloads are
// not changed, but what is returned shares memory with them.
func (c *Codec) Level(payloads [][]byte, less int) [][]byte {
	n := c.cut(payloads)
	if n < 2 {
		return payloads
	}
	head := c.fragments.head
	size := len(payloads[0]) - head // of the data in each
	if less <= 0 || less >= size {
		return payloads
	}
	total := less + len(payloads[n-1]) - head + (n-1)*size // with what the first one lacks
	count := (total + size - 1) / size
	level, memory := make([][]byte, 0, count+len(payloads)-n), make([]byte, 0, total-less+count*head)
	from, at := 0, head
	for i := range count {
		begin, room := len(memory), size
		if i == 0 {
			room -= less
		}
		memory = append(memory, payloads[min(i, 1)][:head]...)
		for room > 0 && from < n {
			taken := min(room, len(payloads[from])-at)
			memory = append(memory, payloads[from][at:at+taken]...)
			room, at = room-taken, at+taken
			if at == len(payloads[from]) {
				from, at = from+1, head
			}
		}
		level = append(level, memory[begin:len(memory):len(memory)])
		if c.fragments.last != nil {
			c.fragments.last(level[i][:head], i == count-1)
		}
	}
	return append(level, payloads[n:]...)
}

// cut returns how many payloads at the beginning of a frame are one part of it that was cut into equal payloads.
func (c *Codec) cut(payloads [][]byte) (n int) {
	f := c.fragments
	if f == nil {
		return 0
	}
	for i, p := range payloads {
		fragment, first := f.is(p)
		if !fragment || first != (i == 0) || len(p) <= f.head || len(p) > len(payloads[0]) {
			return 0
		}
		if n++; f.ends != nil && f.ends(p) {
			return n
		}
		if len(p) != len(payloads[0]) && i < len(payloads)-1 {
			return 0
		}
	}
	if f.ends != nil {
		return 0
	}
	return n
}
