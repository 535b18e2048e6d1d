package frame

import (
	"bytes"
	"strconv"
	"time"
)

// MaxSentence bounds a sentence of NMEA 0183, in bytes. The standard allows 82; proprietary sentences
// are longer.
const MaxSentence = 1024

// starts are the bytes that begin a sentence: the second begins encapsulated ones, such as AIS.
const starts = "$!"

// Sentences hands out sentences of NMEA 0183, from the start byte to the checksum.
//
// A sentence ends with an asterisk and the two digits of its checksum, whatever follows, and begins at
// the last start byte from which that checksum is correct. So a sentence survives when the one before it
// was cut off, when binary messages surround it, and when lines end with a carriage return alone. Text
// that looks like a sentence but has no checksum, or a wrong one, is handed out too, so that its reader
// can report the fault; everything else is discarded.
type Sentences struct {
	discarded Discarded
	rest      []byte // bytes that may be part of a sentence
	searched  int    // how many bytes of rest contain no end of a sentence
}

// NewSentences returns a splitter.
func NewSentences(discarded Discarded) *Sentences { return &Sentences{discarded: discarded} }

// Feed implements [Splitter].
func (s *Sentences) Feed(data []byte, _ time.Time, emit func([]byte)) {
	for len(data) > 0 {
		n := min(len(data), MaxSentence)
		s.rest = append(s.rest, data[:n]...)
		data = data[n:]
		rest := s.rest
		for s.next(emit) {
		}
		s.rest = append(rest[:0], s.rest...)
	}
}

// next takes the next sentence out of rest, or bytes that cannot be part of one; false if it takes more
// bytes to tell.
func (s *Sentences) next(emit func([]byte)) bool {
	first := bytes.IndexAny(s.rest, starts)
	if first < 0 {
		first = len(s.rest)
	}
	s.drop(Misaligned, first)
	for ; s.searched < len(s.rest); s.searched++ {
		body, behind := s.rest[:s.searched], s.rest[s.searched+1:]
		switch s.rest[s.searched] {
		case '\r', '\n':
			s.take(lastStart(body, isText), len(body), 1, emit)
			return true
		case '*':
			if len(behind) < 2 {
				return false
			}
			sum, err := strconv.ParseUint(string(behind[:2]), 16, 8)
			if err != nil {
				break
			}
			begin := lastStart(body, func(b []byte) bool { return fold(b, xor) == byte(sum) })
			if begin < 0 {
				begin = lastStart(body, hasFields)
			}
			if begin >= 0 {
				s.take(begin, len(body)+3, 0, emit)
				return true
			}
		}
		if s.searched >= MaxSentence {
			s.drop(TooLong, 1)
			return true
		}
	}
	return false
}

// take hands out the sentence from begin to end, discards the bytes in front of it, or everything if
// begin is negative, and skips the line ending.
func (s *Sentences) take(begin, end, skip int, emit func([]byte)) {
	if begin < 0 {
		begin = end
	}
	s.drop(Misaligned, begin)
	if sentence := s.rest[:end-begin]; len(sentence) > 0 {
		emit(sentence)
	}
	s.rest, s.searched = s.rest[end-begin+skip:], 0
}

// lastStart finds the last start byte in body that is followed by an address and by bytes that all pass
// the test; -1 if there is none.
func lastStart(body []byte, wanted func([]byte) bool) int {
	for end := len(body); ; {
		begin := bytes.LastIndexAny(body[:end], starts)
		if begin < 0 || hasAddress(body[begin+1:]) && wanted(body[begin+1:]) {
			return begin
		}
		end = begin
	}
}

// hasAddress tells whether a sentence begins with talker and type.
func hasAddress(b []byte) bool {
	address, _, _ := bytes.Cut(b, []byte(","))
	return len(address) >= 2 && !bytes.ContainsFunc(address, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func hasFields(b []byte) bool { return bytes.IndexByte(b, ',') >= 0 }

// isText tells whether a sentence has fields, all of them of printable characters.
func isText(b []byte) bool {
	return hasFields(b) && !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' })
}

func (s *Sentences) drop(why Reason, n int) {
	s.discarded.count(why, n)
	s.rest, s.searched = s.rest[n:], max(s.searched-n, 0)
}

// Reset implements [Splitter].
func (s *Sentences) Reset() {
	s.discarded.count(Interrupted, len(s.rest))
	s.rest, s.searched = s.rest[:0], 0
}
