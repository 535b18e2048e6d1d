package frame

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestChecksums(t *testing.T) {
	for c, want := range map[Checksum]string{NoChecksum: "", Sum8: "\xdd", XOR8: "\x31", CRC8: "\xf4",
		CRC16: "\x37\x4b"} {
		if got := c.Append(nil, []byte("123456789")); string(got) != want || c.Size() != len(want) {
			t.Errorf("%s: % x of %d bytes, want % x", c, got, c.Size(), want)
		}
		if !c.holds(c.Append([]byte("123456789"), []byte("123456789"))) {
			t.Errorf("%s does not hold of what it made", c)
		}
		var read Checksum
		if err := read.UnmarshalText([]byte(c.String())); err != nil || read != c {
			t.Errorf("%s is read as %q, %v", c, read, err)
		}
	}
	if err := new(Checksum).UnmarshalText([]byte("md5")); err == nil {
		t.Error("md5 is a checksum")
	}
}

// splitters are the splitters under test, by name.
var splitters = map[string]func(Discarded) (Splitter, error){
	"chunks":       func(Discarded) (Splitter, error) { return Chunks{}, nil },
	"lines":        func(d Discarded) (Splitter, error) { return NewLines("\n", d) },
	"lines, crlf":  func(d Discarded) (Splitter, error) { return NewLines("\r\n", d) },
	"plain":        block(Block{Size: 4}),
	"pause":        block(Block{Size: 4, Pause: 50 * time.Millisecond}),
	"start":        block(Block{Size: 4, Start: []byte{0xa5}}),
	"two starts":   block(Block{Size: 4, Start: []byte{0xa5, 0xa5}}),
	"once":         block(Block{Size: 4, Start: []byte("go"), StartOnce: true}),
	"sum":          block(Block{Size: 4, Checksum: Sum8}),
	"start + crc8": block(Block{Size: 4, Start: []byte{0xa5}, Checksum: CRC8}),
	"crc16":        block(Block{Size: 4, Checksum: CRC16}),
	"start, pause": block(Block{Size: 4, Start: []byte{0xa5}, Pause: 50 * time.Millisecond}),
	"crc8, pause":  block(Block{Size: 4, Start: []byte{0xa5}, Checksum: CRC8, Pause: 50 * time.Millisecond}),
	"sentences":    func(d Discarded) (Splitter, error) { return NewSentences(d), nil },
}

func block(b Block) func(Discarded) (Splitter, error) {
	return func(d Discarded) (Splitter, error) { return NewBlocks(b, d) }
}

type piece struct {
	data  string
	after time.Duration // since the piece before
}

func pieces(data ...string) []piece {
	var all []piece
	for _, d := range data {
		all = append(all, piece{data: d})
	}
	return all
}

const whole = "\xa5abcd\xa1" // with its CRC-8

func TestSplit(t *testing.T) {
	for name, tt := range map[string]struct {
		splitter  string
		in        []piece
		want      []string
		discarded map[Reason]int
	}{
		"chunks as they come":       {"chunks", pieces("ab", "c"), []string{"ab", "c"}, nil},
		"lines in one piece":        {"lines", pieces("a\nbb\n\nc"), []string{"a", "bb", ""}, nil},
		"a line in many pieces":     {"lines", pieces("a", "b", "c\nd", "\n"), []string{"abc", "d"}, nil},
		"a carriage return is kept": {"lines", pieces("a\r\n"), []string{"a\r"}, nil},
		"a delimiter in two pieces": {"lines, crlf", pieces("a\r", "\nb\rc\r\n"), []string{"a", "b\rc"}, nil},
		"blocks in one piece":       {"plain", pieces("abcdefghij"), []string{"abcd", "efgh"}, nil},
		"a block in many pieces":    {"plain", pieces("a", "bc", "de", "fgh"), []string{"abcd", "efgh"}, nil},
		"a pause ends what has begun": {"pause", []piece{{"ab", 0}, {"abcd", 51 * time.Millisecond}}, []string{"abcd"},
			map[Reason]int{Paused: 2}},
		"a short pause ends nothing": {"pause", []piece{{"ab", 0}, {"cd", 50 * time.Millisecond}}, []string{"abcd"}, nil},
		"a pause between blocks":     {"pause", []piece{{"abcd", 0}, {"efgh", time.Hour}}, []string{"abcd", "efgh"}, nil},
		"bytes that drip": {"pause", []piece{{"a", 0}, {"b", 40 * time.Millisecond},
			{"abcd", 40 * time.Millisecond}}, []string{"abcd"}, map[Reason]int{Paused: 2}},
		"garbage before the start": {"start", pieces("xyz\xa5abcd"), []string{"abcd"}, map[Reason]int{Misaligned: 3}},
		"a start byte as a value":  {"start", pieces("\xa5a\xa5cd\xa5efgh"), []string{"a\xa5cd", "efgh"}, nil},
		"two start bytes in two pieces": {"two starts", pieces("x\xa5", "\xa5abcd"), []string{"abcd"},
			map[Reason]int{Misaligned: 1}},
		"one start byte of two": {"two starts", pieces("\xa5x\xa5\xa5abcd"), []string{"abcd"},
			map[Reason]int{Misaligned: 2}},
		"once, in two pieces": {"once", pieces("boot\ng", "oabcdefgh"), []string{"abcd", "efgh"},
			map[Reason]int{Misaligned: 5}},
		"a checksum": {"sum", pieces("abcd\x8a"), []string{"abcd"}, nil},
		"a lost byte, with a checksum": {"sum", pieces("bcd\x8aabcd\x8a"), []string{"abcd"},
			map[Reason]int{BadChecksum: 4}},
		"start and checksum": {"start + crc8", pieces(whole + whole), []string{"abcd", "abcd"}, nil},
		"damaged": {"start + crc8", pieces("\xa5abxd\xa1" + whole), []string{"abcd"},
			map[Reason]int{BadChecksum: 1, Misaligned: 5}},
		"a lost byte": {"start + crc8", pieces("\xa5abd\xa1" + whole), []string{"abcd"},
			map[Reason]int{BadChecksum: 1, Misaligned: 4}},
		"a lost start": {"start + crc8", pieces("abcd\xa1" + whole), []string{"abcd"},
			map[Reason]int{Misaligned: 5}},
		"a lost byte, no checksum": {"start", pieces("\xa5abd\xa5efgh\xa5ijkl"), []string{"abd\xa5", "efgh", "ijkl"},
			nil},
		"the same in pieces": {"start", pieces("\xa5abd", "\xa5", "ef", "gh\xa5i", "jkl"),
			[]string{"abd\xa5", "efgh", "ijkl"}, nil},
		"two lost bytes, no checksum": {"two starts", pieces("\xa5\xa5ab\xa5\xa5efgh\xa5\xa5ijkl"),
			[]string{"ab\xa5\xa5", "efgh", "ijkl"}, nil},
		"noise behind a start as value": {"start", pieces("\xa5a\xa5cdx\xa5efgh\xa5ijkl"),
			[]string{"a\xa5cd", "cdx\xa5", "efgh", "ijkl"}, nil},
		"noise between": {"start", pieces("\xa5abcdxy\xa5efgh"), []string{"abcd", "efgh"},
			map[Reason]int{Misaligned: 2}},
		"noise that waits, then a whole message late": {"crc8, pause",
			[]piece{{"\xa5x", 0}, {whole[:4], 40 * time.Millisecond}, {whole[4:], 20 * time.Millisecond}},
			[]string{"abcd"}, map[Reason]int{BadChecksum: 1, Misaligned: 1}},
		"the same without a checksum": {"start, pause", []piece{{"\xa5x", 0}, {"\xa5ab", 40 * time.Millisecond},
			{"cd", 20 * time.Millisecond}},
			[]string{"x\xa5ab", "abcd"}, nil},
		"a cut message, a pause, the next": {"start, pause", []piece{{"\xa5abc", 0}, {"\xa5efgh", time.Second}},
			[]string{"efgh"}, map[Reason]int{Paused: 4}},
		"a pause behind a message": {"start, pause", []piece{{"\xa5a\xa5cd", 0}, {"x\xa5efgh", time.Second}},
			[]string{"a\xa5cd", "efgh"}, map[Reason]int{Misaligned: 1}},
		"a start within damaged garbage": {"start + crc8", pieces("\xa5\xa5abcd\xa1"), []string{"abcd"},
			map[Reason]int{BadChecksum: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			discarded := map[Reason]int{}
			s, err := splitters[tt.splitter](func(why Reason, n int) { discarded[why] += n })
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			now := time.Unix(0, 0)
			for _, p := range tt.in {
				now = now.Add(p.after)
				s.Feed([]byte(p.data), now, func(m []byte) { got = append(got, string(m)) })
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			for why, n := range tt.discarded {
				if discarded[why] != n {
					t.Errorf("%d bytes %s, want %d", discarded[why], why, n)
				}
				delete(discarded, why)
			}
			if len(discarded) != 0 {
				t.Errorf("besides: %v", discarded)
			}
		})
	}
}

// TestLongLines: an endless line costs no more than MaxMessage, and the next line is intact.
func TestLongLines(t *testing.T) {
	var lost int
	s, err := NewLines("\r\n", func(_ Reason, n int) { lost += n })
	if err != nil {
		t.Fatal(err)
	}
	long := bytes.Repeat([]byte("x"), MaxMessage)
	var got []string
	for _, data := range [][]byte{long, long, long[:7], []byte("\r"), []byte("\nok\r\n"), long, []byte("y\r\nok\r\n"),
		long, []byte("\r\n")} {
		s.Feed(data, time.Time{}, func(m []byte) { got = append(got, string(m)) })
	}
	if len(got) != 3 || got[0] != "ok" || got[1] != "ok" || len(got[2]) != MaxMessage || lost != 2*MaxMessage+7+
		MaxMessage+1 {
		t.Errorf("%d lines, %d bytes lost", len(got), lost)
	}
}

func TestReset(t *testing.T) {
	for name, open := range splitters {
		s, err := open(nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Feed([]byte("\xa5ab"), time.Time{}, func([]byte) {})
		s.Reset()
		var got []string
		for _, data := range []string{"go\xa5\xa5abcd\xa1", "\r\n"} {
			s.Feed([]byte(data), time.Time{}, func(m []byte) { got = append(got, string(m)) })
		}
		if name != "chunks" && len(got) > 0 && bytes.Contains([]byte(got[0]), []byte("\xa5ab\xa5")) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestBadBlocks(t *testing.T) {
	for _, b := range []Block{{}, {Size: -1}, {Size: MaxMessage + 1}, {Size: MaxMessage, Start: []byte{1}}} {
		if _, err := NewBlocks(b, nil); err == nil {
			t.Errorf("%+v is accepted", b)
		}
	}
	if _, err := NewLines("", nil); err == nil {
		t.Error("no delimiter is accepted")
	}
}

// TestGarbageForAnHour feeds as many random bytes as a line at 115200 baud carries in an hour: memory
// does not grow, and every byte is accounted for.
func TestGarbageForAnHour(t *testing.T) {
	const hour = 115200 / 10 * 3600
	for _, name := range []string{"lines", "plain", "start + crc8"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := splitters[name]
			random := rand.NewChaCha8([32]byte{1})
			out := 0
			s, err := open(func(_ Reason, n int) { out += n })
			if err != nil {
				t.Fatal(err)
			}
			data := make([]byte, 4096)
			messages := 0
			for in := 0; in < hour; in += len(data) {
				_, _ = random.Read(data) // never fails
				s.Feed(data, time.Time{}, func(m []byte) { messages++; out += len(m) })
				if out > in+len(data) {
					t.Fatalf("%d bytes came out of %d", out, in+len(data))
				}
			}
			t.Logf("%d messages", messages)
		})
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > 64<<20 {
		t.Errorf("%d MiB in use", after.HeapAlloc>>20)
	}
}

// TestNextIsWhole: whatever happens to one message, the one after the next is found, wherever there is a
// way to tell.
func TestNextIsWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, b := range map[string]Block{
		"start": {Size: 4, Start: []byte{0xa5}}, "crc16": {Size: 23, Checksum: CRC16},
		"start + crc16": {Size: 23, Start: []byte{0x5a}, Checksum: CRC16},
	} {
		for range 2000 {
			// without the start byte, or a message that begins there would be just as valid as the
			// intended one
			payload := func() []byte {
				p := make([]byte, b.Size)
				for i := range p {
					p[i] = byte('a' + random.IntN(26))
				}
				return p
			}
			damaged := b.Append(nil, payload())
			switch i := random.IntN(len(damaged)); random.IntN(3) {
			case 0:
				damaged = slices.Delete(damaged, i, i+1+random.IntN(len(damaged)-i))
			case 1:
				damaged[i] ^= byte(1 + random.IntN(255))
			case 2:
				damaged = slices.Insert(damaged, i, payload()[:1+random.IntN(b.Size-1)]...)
			}
			first, second := payload(), payload()
			var got []string
			s, err := NewBlocks(b, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Feed(b.Append(b.Append(damaged, first), second), time.Time{}, func(m []byte) { got = append(got, string(m)) })
			if !slices.Contains(got, string(second)) || len(b.Start) > 0 && !slices.Contains(got, string(first)) {
				t.Fatalf("%s: %q is followed by %q and %q: %q", name, damaged, first, second, got)
			}
		}
	}
}

// FuzzSplit feeds any bytes in two pieces: the cut makes no difference, and nothing comes out that did
// not go in.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"", "a\nb", whole, "x" + whole + "\xa5", "go" + whole, "a\r\nb\r"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		cut = min(max(cut, 0), len(data))
		for name, open := range splitters {
			var got [2][]string
			for i, feed := range [][][]byte{{data}, {data[:cut], data[cut:]}} {
				s, err := open(nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range feed {
					s.Feed(d, time.Time{}, func(m []byte) {
						got[i] = append(got[i], string(m))
						if !bytes.Contains(data, m) {
							t.Errorf("%s: %q came out of %q", name, m, data)
						}
					})
				}
			}
			if name != "chunks" && !slices.Equal(got[0], got[1]) {
				t.Errorf("%s: %q in one piece, %q in two", name, got[0], got[1])
			}
		}
	})
}

func BenchmarkBlocks(b *testing.B) {
	s, err := NewBlocks(Block{Size: 23, Start: []byte{0x5a}, Checksum: CRC8}, nil)
	if err != nil {
		b.Fatal(err)
	}
	message := s.block.Append(nil, make([]byte, 23))
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		s.Feed(message, time.Time{}, func([]byte) {})
	}
}
