package rtp

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// in is a packet of a test, or the passing of time if data is "expire".
type in struct {
	seq  uint16
	ts   uint32 // ticks of 90 kHz
	data string // hexadecimal; "" for an empty payload
	m    bool   // marker
	at   int    // when it comes, in ms
	ssrc uint32
	pt   uint8
}

const expire = "expire"

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (i in) packet(t testing.TB) *rtp.Packet {
	return &rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: i.m, SequenceNumber: i.seq, Timestamp: i.ts, SSRC: i.ssrc, PayloadType: i.pt},
		Payload: unhex(t, i.data),
	}
}

// run gives packets to an assembler and returns what came out, a line for each picture and block: its time in
// ticks, its arrival in ms, what is particular, and its data.
func run(t testing.TB, c Config, packets []in) []string {
	t.Helper()
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	to := feed.Receiver{
		Picture: func(p feed.Picture) { got = append(got, pictureLine(p)) },
		Sound:   func(s feed.Sound) { got = append(got, soundLine(s, c.ClockRate)) },
	}
	for _, i := range packets {
		if i.data == expire {
			a.Expire(at(i.at), to)
			continue
		}
		a.Push(i.packet(t), at(i.at), to)
	}
	return got
}

func ticks(d time.Duration, rate int) int64 {
	return (int64(d)*int64(rate) + int64(time.Second)/2) / int64(time.Second)
}

func pictureLine(p feed.Picture) string {
	line := fmt.Sprintf("%d@%d", ticks(p.Time, 90_000), p.Arrival.Sub(start).Milliseconds())
	for _, flag := range []struct {
		name string
		is   bool
	}{{" damaged", p.Damaged}, {" missing", p.Missing}, {" restart", p.Restart}} {
		if flag.is {
			line += flag.name
		}
	}
	line += ":"
	for _, d := range p.Data {
		line += " " + hex.EncodeToString(d)
	}
	return line
}

func soundLine(s feed.Sound, rate int) string {
	line := fmt.Sprintf("%d@%d", ticks(s.Time, rate), s.Arrival.Sub(start).Milliseconds())
	if s.Lost > 0 {
		line += fmt.Sprintf(" lost %d", s.Lost)
	}
	return line + ": " + hex.EncodeToString(s.Data)
}

func configOf(mediaType string) Config {
	return Config{Track: feed.Track{MediaType: mediaType}, ClockRate: 90_000}
}

// example is a row of a table: what comes, and what is to come out.
type example struct {
	name   string
	config Config
	in     []in
	want   []string
}

func (e example) test(t *testing.T) {
	t.Run(e.name, func(t *testing.T) {
		got := run(t, e.config, e.in)
		if strings.Join(got, "\n") != strings.Join(e.want, "\n") {
			t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(e.want, "\n\t"))
		}
	})
}

func udp(c Config) Config {
	c.Reorder = true
	return c
}

var (
	avc  = configOf(media.H264)
	hevc = configOf(media.H265)

	numbered = Config{Track: feed.Track{MediaType: media.H265}, ClockRate: 90_000, Numbered: true}
)

// In these tables 67, 68, 06 are parameter sets and messages of H.264; 65 is a slice of a key frame, 41 of
// another picture. 80 behind that is its first slice, 00 another.
var h264Table = []example{
	{"17 FU-A though single NAL units were announced", avc, []in{
		{1, 0, "7c85 80aa", false, 0, 0, 0}, {2, 0, "7c05 bb", false, 1, 0, 0}, {3, 0, "7c45 cc", true, 2, 0, 0},
	}, []string{"0@0: 6580aabbcc"}},
	{"17 mode 2: STAP-B and FU-B in order", avc, []in{
		{1, 0, "79 0001 0002 6742 0002 68ce", false, 0, 0, 0},
		{2, 0, "7d85 0002 80aa", false, 1, 0, 0}, {3, 0, "7c45 bb", true, 2, 0, 0},
	}, []string{"0@0: 6742 68ce 6580aabb"}},
	{"17 many slices", avc, []in{
		{1, 0, "6580", false, 0, 0, 0}, {2, 0, "78" + strings.Repeat("0002 6500", 60), true, 0, 0, 0},
	}, []string{"0@0: 6580" + strings.Repeat(" 6500", 60)}},
	{"18 start and end in one", avc, []in{{1, 0, "7cc5 80aa", true, 0, 0, 0}}, []string{"0@0: 6580aa"}},
	{"18 another type in later fragments", avc, []in{
		{1, 0, "7c85 80aa", false, 0, 0, 0}, {2, 0, "7c01 bb", false, 0, 0, 0}, {3, 0, "5c41 cc", true, 0, 0, 0},
	}, []string{"0@0: 6580aabbcc"}},
	{"18 empty fragments", avc, []in{
		{1, 0, "7c85", false, 0, 0, 0}, {2, 0, "7c05 80aa", false, 0, 0, 0}, {3, 0, "7c05", false, 0, 0, 0},
		{4, 0, "7c", false, 0, 0, 0}, {5, 0, "", false, 0, 0, 0}, {6, 0, "7c45", true, 0, 0, 0},
	}, []string{"0@0: 6580aa"}},
	{"18 no end", avc, []in{
		{1, 0, "7c85 80aa", false, 0, 0, 0}, {2, 0, "7c05 bb", false, 0, 0, 0}, {3, 0, "6500", true, 0, 0, 0},
	}, []string{"0@0: 6580aabb 6500"}},
	{"18 several NAL units with start codes in one", avc, []in{
		{1, 0, "6742 00000001 68ce 000001 6580aa", true, 0, 0, 0},
	}, []string{"0@0: 6742 68ce 6580aa"}},
	{"18 several NAL units with start codes in fragments", avc, []in{
		{1, 0, "7c87 42 0000", false, 0, 0, 0}, {2, 0, "7c47 0001 68ce 000001 6580aa", true, 0, 0, 0},
	}, []string{"0@0: 6742 68ce 6580aa"}},
	{"18 a start code in front", avc, []in{
		{1, 0, "00000001 6580aa", true, 0, 0, 0}, {2, 3600, "000001 4180bb", true, 40, 0, 0},
	}, []string{"0@0: 6580aa", "3600@40: 4180bb"}},
	{"18 STAP-A padded with zeros", avc, []in{
		{1, 0, "78 0002 6742 0002 68ce 0003 6580aa 0000 0000 00", true, 0, 0, 0},
	}, []string{"0@0: 6742 68ce 6580aa"}},
	{"18 STAP-A cut off", avc, []in{
		{1, 0, "78 0002 6742 0009 6580aa", false, 0, 0, 0}, {2, 0, "6580", true, 0, 0, 0},
	}, []string{"0@0 damaged: 6742 6580"}},
	{"19 marker never set", avc, []in{
		{1, 0, "6580", false, 0, 0, 0}, {2, 3600, "4180", false, 40, 0, 0}, {0, 0, expire, false, 49, 0, 0},
		{0, 0, expire, false, 50, 0, 0}, {3, 7200, "4180", false, 80, 0, 0}, {0, 0, expire, false, 90, 0, 0},
	}, []string{"0@0: 6580", "3600@40: 4180", "7200@80: 4180"}},
	{"19 marker never set, a picture comes slowly", avc, []in{
		{1, 0, "6580", false, 0, 0, 0}, {2, 0, "6500", false, 0, 0, 0}, {3, 3600, "4180", false, 40, 0, 0},
		{0, 0, expire, false, 60, 0, 0}, {4, 3600, "4100", false, 70, 0, 0}, {0, 0, expire, false, 80, 0, 0},
	}, []string{"0@0: 6580 6500", "3600@40: 4180 4100"}},
	{"19 marker never set, a picture is cut", avc, []in{
		{1, 0, "6580", false, 0, 0, 0}, {2, 3600, "4180", false, 40, 0, 0}, {0, 0, expire, false, 60, 0, 0},
		{3, 3600, "4100", false, 70, 0, 0}, {4, 7200, "4180", false, 80, 0, 0},
	}, []string{"0@0: 6580", "3600@40: 4180", "3600@70 damaged: 4100"}},
	{"19 marker on every NAL unit", avc, []in{
		{1, 0, "6742", true, 0, 0, 0}, {2, 0, "68ce", true, 0, 0, 0},
		{3, 0, "6580", true, 0, 0, 0}, {4, 0, "6500", true, 1, 0, 0},
		{5, 3600, "4180", true, 40, 0, 0}, {6, 3600, "4100", true, 41, 0, 0},
		{7, 7200, "4180", true, 80, 0, 0}, {8, 7200, "4100", true, 81, 0, 0},
	}, []string{"0@0: 6742 68ce 6580 6500", "3600@40: 4180 4100", "7200@80: 4180 4100"}},
	{"19 marker on every slice is learned", avc, []in{
		{1, 0, "6580", true, 0, 0, 0}, {2, 0, "6500", true, 1, 0, 0},
		{3, 3600, "4180", true, 40, 0, 0}, {4, 3600, "4100", true, 41, 0, 0},
		{5, 7200, "4180", true, 80, 0, 0}, {6, 7200, "4100", true, 81, 0, 0},
	}, []string{"0@0: 6580", "0@1 damaged: 6500", "3600@40: 4180 4100", "7200@80: 4180 4100"}},
	{"19 marker on SEI only", avc, []in{
		{1, 0, "0605", true, 0, 0, 0}, {2, 0, "6580", false, 0, 0, 0}, {3, 3600, "0605", true, 40, 0, 0},
		{4, 3600, "4180", false, 40, 0, 0}, {0, 0, expire, false, 50, 0, 0},
	}, []string{"0@0: 0605 6580", "3600@40: 0605 4180"}},
	{"19 parameter sets with a time of their own", avc, []in{
		{1, 0, "6742", true, 0, 0, 0}, {2, 1, "68ce", true, 0, 0, 0},
		{3, 2, "6580", true, 3, 0, 0}, {4, 3600, "4180", true, 40, 0, 0},
	}, []string{"2@3: 6742 68ce 6580", "3600@40: 4180"}},
	{"20 a slice is lost", avc, []in{
		{1, 0, "6580", true, 0, 0, 0}, {2, 3600, "4180", false, 40, 0, 0}, {4, 3600, "4100", true, 40, 0, 0},
		{5, 7200, "4180", true, 80, 0, 0},
	}, []string{"0@0: 6580", "3600@40 damaged missing: 4180 4100", "7200@80: 4180"}},
	{"20 a fragment is lost", avc, []in{
		{1, 0, "7c85 80aa", false, 0, 0, 0}, {3, 0, "7c45 cc", true, 0, 0, 0}, {4, 3600, "4180", true, 40, 0, 0},
	}, []string{"3600@40 missing: 4180"}},
	{"20 the beginning is lost", avc, []in{
		{1, 0, "6580", true, 0, 0, 0}, {3, 3600, "4100", true, 40, 0, 0}, {5, 7200, "6580", true, 80, 0, 0},
	}, []string{"0@0: 6580", "3600@40 damaged missing: 4100", "7200@80 missing: 6580"}},
	{"20 the end of one and the beginning of the next are lost", avc, []in{
		{1, 0, "6580", false, 0, 0, 0}, {4, 3600, "4100", true, 40, 0, 0}, {5, 7200, "4180", true, 80, 0, 0},
	}, []string{"0@0 damaged: 6580", "3600@40 damaged missing: 4100", "7200@80: 4180"}},
	{"20 packets out of order by UDP", udp(avc), []in{
		{1, 0, "6580", false, 0, 0, 0}, {3, 0, "65000c", false, 1, 0, 0},
		{2, 0, "65000b", false, 2, 0, 0}, {4, 0, "65000d", true, 3, 0, 0},
	}, []string{"0@0: 6580 65000b 65000c 65000d"}},
	{"20 a lost packet by UDP costs 20 ms", udp(avc), []in{
		{1, 0, "6580", true, 0, 0, 0}, {3, 7200, "4180", true, 80, 0, 0}, {0, 0, expire, false, 99, 0, 0},
		{4, 10800, "6580", true, 99, 0, 0}, {0, 0, expire, false, 100, 0, 0},
	}, []string{"0@0: 6580", "7200@80 missing: 4180", "10800@99: 6580"}},
	{"20 a lost packet by UDP costs 5 packets", udp(avc), []in{
		{1, 0, "6580", false, 0, 0, 0}, {3, 0, "650003", false, 0, 0, 0},
		{4, 0, "650004", false, 0, 0, 0}, {6, 0, "650006", false, 0, 0, 0},
		{5, 0, "650005", false, 0, 0, 0}, {5, 0, "650005", false, 0, 0, 0},
		{7, 0, "650007", true, 0, 0, 0}, {2, 0, "650002", false, 0, 0, 0},
	}, []string{"0@0 damaged missing: 6580 650003 650004 650005 650006 650007"}},
	{"20 packets out of order by TCP are lost", avc, []in{
		{1, 0, "6580", false, 0, 0, 0}, {3, 0, "65000c", true, 1, 0, 0},
		{2, 0, "65000b", false, 2, 0, 0}, {4, 3600, "4180", true, 3, 0, 0},
	}, []string{"0@0 damaged missing: 6580 65000c", "3600@3: 4180"}},
	{"21 duplicates", avc, []in{
		{1, 0, "7c85 80aa", false, 0, 0, 0}, {1, 0, "7c85 80aa", false, 0, 0, 0}, {2, 0, "7c45 bb", true, 0, 0, 0},
		{2, 0, "7c45 bb", true, 0, 0, 0}, {3, 3600, "4180", true, 40, 0, 0}, {3, 3600, "4180", true, 40, 0, 0},
	}, []string{"0@0: 6580aabb", "3600@40: 4180"}},
	{"21 numbers wrap", avc, []in{
		{65535, 0, "7c85 80aa", false, 0, 0, 0}, {0, 0, "7c45 bb", true, 0, 0, 0},
	}, []string{"0@0: 6580aabb"}},
	{"21 numbers restart", avc, []in{
		{9000, 0, "6580", true, 0, 0, 0}, {9001, 3600, "7c81 80aa", false, 40, 0, 0},
		{1, 7200, "6580", true, 80, 0, 0}, {2, 10800, "4180", true, 120, 0, 0},
	}, []string{"0@0: 6580", "7200@80 missing restart: 6580", "10800@120: 4180"}},
	{"21 numbers restart a little behind", avc, []in{
		{500, 0, "6580", true, 0, 0, 0}, {1, 3600, "4180", true, 40, 0, 0}, {2, 7200, "4180", true, 80, 0, 0},
		{3, 10800, "6580", true, 120, 0, 0}, {4, 14400, "4180", true, 160, 0, 0},
	}, []string{"0@0: 6580", "10800@120 missing restart: 6580", "14400@160: 4180"}},
	{"21 another SSRC", udp(avc), []in{
		{7, 0, "6580", true, 0, 1, 0}, {8, 3600, "4180", false, 40, 1, 0}, {10, 3600, "4100", false, 40, 1, 0},
		{8, 7200, "6580", true, 80, 2, 0}, {9, 10800, "4180", true, 120, 2, 0},
	}, []string{"0@0: 6580", "7200@80 missing restart: 6580", "10800@120: 4180"}},
	{"21 another SSRC in the middle of a picture", avc, []in{
		{7, 0, "6580", true, 0, 1, 0}, {8, 3600, "4100", true, 40, 2, 0}, {9, 7200, "6580", true, 80, 2, 0},
	}, []string{"0@0: 6580", "3600@40 damaged missing restart: 4100", "7200@80: 6580"}},
	{"22 timestamps wrap, jump, go back", avc, []in{
		{1, 0xfffff000, "6580", true, 0, 0, 0}, {2, 0x00000010, "4180", true, 40, 0, 0},
		{3, 0x00100010, "4180", true, 80, 0, 0}, {4, 0x00000010, "4180", true, 120, 0, 0},
	}, []string{"4294963200@0: 6580", "4294967312@40: 4180", "4296015888@80: 4180", "4294967312@120: 4180"}},
	{"23 all timestamps equal", avc, []in{
		{1, 5, "6742", false, 0, 0, 0}, {2, 5, "6580", false, 0, 0, 0}, {3, 5, "6500", false, 0, 0, 0},
		{4, 5, "0605", false, 40, 0, 0}, {5, 5, "4180", false, 40, 0, 0},
		{6, 5, "4100", false, 41, 0, 0}, {0, 0, expire, false, 51, 0, 0},
		{7, 5, "4180", false, 80, 0, 0},
	}, []string{"5@0: 6742 6580 6500", "5@40: 0605 4180 4100"}},
	{"30 another payload type", avc, []in{
		{1, 0, "6580", true, 0, 0, 0}, {2, 3000, "ffff", true, 40, 0, 98}, {3, 3600, "4180", true, 40, 0, 0},
	}, []string{"0@0: 6580", "3600@40: 4180"}},
	{"MTAP16", avc, []in{
		{1, 0, "7a 0001 0005 00 0000 6742 0005 01 0000 6580", true, 0, 0, 0},
	}, []string{"0@0: 6742 6580"}},
	{"MTAP24, cut off", avc, []in{
		{1, 0, "6580", false, 0, 0, 0}, {2, 0, "7b 0001 0006 00 000000 0101 0006 00", true, 0, 0, 0},
	}, []string{"0@0 damaged: 6580 0101"}},
	{"the timestamp changes within a picture", avc, []in{
		{1, 0, "6580", false, 0, 0, 0}, {2, 1, "6510", false, 0, 0, 0}, {3, 2, "7c85 11", false, 0, 0, 0},
		{4, 3, "7c05 22", false, 0, 0, 0}, {5, 4, "7c45 33", true, 0, 0, 0}, {6, 3600, "4180", true, 40, 0, 0},
	}, []string{"0@0: 6580 6510 65112233", "3600@40: 4180"}},
	{"the camera does not count", avc, []in{
		{7, 0, "7c85 8011", false, 0, 0, 0}, {7, 0, "7c45 22", true, 0, 0, 0}, {7, 3600, "4180", true, 40, 0, 0},
		{7, 3600, "4180", true, 40, 0, 0}, {7, 7200, "4190", true, 80, 0, 0},
	}, []string{"0@0: 65801122", "3600@40: 4180", "7200@80: 4190"}},
	{"another stream beside", avc, []in{
		{1, 0, "6580", true, 0, 0, 0}, {90, 0, "6581", true, 0, 2, 0}, {2, 3600, "4180", true, 40, 0, 0},
		{91, 3600, "4181", true, 40, 2, 0}, {3, 7200, "4182", true, 80, 0, 0}, {92, 7200, "4183", true, 80, 2, 0},
		{4, 10800, "4184", true, 120, 0, 0},
	}, []string{"0@0: 6580", "0@0 missing restart: 6581", "3600@40 missing restart: 4180", "7200@80: 4182",
		"10800@120: 4184"}},
	{"H.265, though H.264 was announced", avc, []in{
		{1, 0, "4001 0c01 ffff 0160", false, 0, 0, 0}, {2, 0, "4201 0101 6000 0003", false, 0, 0, 0},
		{3, 0, "260180", true, 0, 0, 0}, {4, 3600, "020180", true, 40, 0, 0},
	}, []string{"0@0 restart: 40010c01ffff0160 4201010160000003 260180", "3600@40: 020180"}},
}

func TestH264(t *testing.T) {
	for _, e := range h264Table {
		e.test(t)
	}
}

// 40, 42, 44 are parameter sets of H.265; 2601 is an IDR, 0201 and 0001 are others, 4e01 is SEI.
var h265Table = []example{
	{"aggregated and fragmented", hevc, []in{
		{1, 0, "6001 0003 400101 0003 420101 0003 440101", false, 0, 0, 0},
		{2, 0, "6201 93 80aa", false, 0, 0, 0}, {3, 0, "6201 13 bb", false, 0, 0, 0},
		{4, 0, "6201 53 cc", true, 0, 0, 0},
		{5, 3600, "0201 80", true, 40, 0, 0},
	}, []string{"0@0: 400101 420101 440101 260180aabbcc", "3600@40: 020180"}},
	{"18 type 0", hevc, []in{
		{1, 0, "2601 80", true, 0, 0, 0}, {2, 3600, "0001 80 11", true, 40, 0, 0},
		{3, 7200, "6201 80 8011", false, 80, 0, 0},
		{4, 7200, "6201 40 22", true, 80, 0, 0},
	}, []string{"0@0: 260180", "3600@40: 00018011", "7200@80: 0001801122"}},
	{"18 start codes inside", hevc, []in{
		{1, 0, "6201 e0 01 00000001 420101 000001 260180aa", true, 0, 0, 0},
		{2, 3600, "00000001 020180", true, 40, 0, 0},
	}, []string{"0@0: 400101 420101 260180aa", "3600@40: 020180"}},
	{"18 start and end in one, empty fragments", hevc, []in{
		{1, 0, "6201 d3 80aa", true, 0, 0, 0}, {2, 3600, "6201 81", false, 40, 0, 0},
		{3, 3600, "6201", false, 40, 0, 0},
		{4, 3600, "6201 01 80", false, 40, 0, 0}, {5, 3600, "6201 41", true, 40, 0, 0},
	}, []string{"0@0: 260180aa", "3600@40: 020180"}},
	{"19 marker never set", hevc, []in{
		{1, 0, "260180", false, 0, 0, 0}, {2, 3600, "020180", false, 40, 0, 0}, {3, 7200, "020180", false, 80, 0, 0},
		{0, 0, expire, false, 90, 0, 0},
	}, []string{"0@0: 260180", "3600@40: 020180", "7200@80: 020180"}},
	{"19 marker on every NAL unit", hevc, []in{
		{1, 0, "400101", true, 0, 0, 0}, {2, 0, "260180", true, 0, 0, 0}, {3, 0, "260100", true, 0, 0, 0},
		{4, 3600, "020180", true, 40, 0, 0}, {5, 3600, "020100", true, 40, 0, 0},
	}, []string{"0@0: 400101 260180 260100", "3600@40: 020180 020100"}},
	{"20 a fragment is lost", hevc, []in{
		{1, 0, "6201 93 80aa", false, 0, 0, 0}, {3, 0, "6201 53 cc", false, 0, 0, 0}, {4, 0, "260100", true, 0, 0, 0},
	}, []string{"0@0 damaged missing: 260100"}},
	{"PACI", hevc, []in{
		{1, 0, "6401 26 30 010203 80 11", true, 0, 0, 0}, {2, 3600, "6401 62 00 81 80", false, 40, 0, 0},
		{3, 3600, "6401 62 00 41 22", true, 40, 0, 0},
	}, []string{"0@0: 26018011", "3600@40: 02018022"}},
	{"H.264, though H.265 was announced", hevc, []in{
		{1, 0, "78 0007 6742c00a965305 0002 6580", true, 0, 0, 0}, {2, 3600, "4180", true, 40, 0, 0},
	}, []string{"0@0 restart: 6742c00a965305 6580", "3600@40: 4180"}},
	{"decoding order numbers", numbered, []in{
		{1, 0, "6001 0000 0003 400111 00 0003 420122", false, 0, 0, 0}, {2, 0, "2601 0002 80", true, 0, 0, 0},
		{3, 3600, "6201 81 0003 8011", false, 40, 0, 0}, {4, 3600, "6201 41 22", true, 40, 0, 0},
	}, []string{"0@0: 400111 420122 260180", "3600@40: 0201801122"}},
	{"a packet of another purpose", hevc, []in{
		{1, 0, "260180", false, 0, 0, 0}, {2, 0, "6401 00", true, 0, 0, 0},
	}, []string{"0@0 damaged: 260180"}},
}

func TestH265(t *testing.T) {
	for _, e := range h265Table {
		e.test(t)
	}
}

// TestDeadline: the owner of the timer is told when there is something to give up waiting for, and only then.
func TestDeadline(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config Config
		in     []in
		want   int // ms, -1 for none
	}{
		{"nothing came", avc, nil, -1},
		{"a camera with markers", avc, []in{{1, 0, "6580", true, 0, 0, 0}, {2, 3600, "4180", false, 40, 0, 0}}, -1},
		{"a camera without markers", avc, []in{{1, 0, "6580", false, 0, 0, 0}, {2, 3600, "4180", false, 40, 0, 0}}, 50},
		{"a fragment is to come", avc, []in{{1, 0, "6580", false, 0, 0, 0}, {2, 3600, "7c8180", false, 40, 0, 0}}, -1},
		{"a packet is missing", udp(avc), []in{{1, 0, "6580", true, 0, 0, 0}, {3, 3600, "4180", false, 40, 0, 0}}, 60},
		{"sound", Config{Track: feed.Track{MediaType: feed.PCMU}, ClockRate: 8000}, []in{{1, 0, "ff", true, 0, 0, 0}}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := New(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range tt.in {
				a.Push(i.packet(t), at(i.at), feed.Receiver{})
			}
			want := time.Time{}
			if tt.want >= 0 {
				want = at(tt.want)
			}
			if got := a.Deadline(); !got.Equal(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// TestBound: a picture is bounded by its bytes, whatever they are in, and the one after it comes out again.
func TestBound(t *testing.T) {
	big := func(header ...byte) []byte { return append(header, make([]byte, 60_000)...) }
	for name, payload := range map[string][]byte{
		"slices": big(0x65, 0x00, 0xff), "fragments": big(0x7c, 0x05, 0xff),
		"small units": append([]byte{0x78}, []byte(strings.Repeat("\x00\x01\x06", 20_000))...),
	} {
		t.Run(name, func(t *testing.T) {
			a, err := New(avc)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			to := feed.Receiver{Picture: func(p feed.Picture) { got = append(got, pictureLine(p)) }}
			seq := uint16(0)
			push := func(ts uint32, payload ...byte) {
				seq++
				a.Push(&rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: ts}, Payload: payload}, start, to)
			}
			push(0, 0x7c, 0x85, 0x80)
			u, ok := a.assembly.(*units)
			for n := 0; ok && !u.over && n < 2*maxPicture/60_000; n++ {
				push(0, payload...)
			}
			push(0, payload...)
			if !ok || !u.over || u.size > maxPicture+60_000 || len(u.list) > 0 || cap(u.fragments) > 0 {
				t.Errorf("%d bytes, %d units are kept", u.size, len(u.list))
			}
			push(1, 0x65, 0x80)
			push(2, 0x41, 0x80)
			if want := "1@0 missing: 6580"; len(got) != 1 || got[0] != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestTime: reports of the present stream are converted to the time of its pictures.
func TestTime(t *testing.T) {
	a, err := New(avc)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := a.Time(1, 0); ok {
		t.Error("a time before the first packet")
	}
	a.Push(in{1, 0xffffffff, "6580", true, 0, 1, 0}.packet(t), start, feed.Receiver{})
	for ts, want := range map[uint32]int64{0xffffffff: 1<<32 - 1, 89_999: 1<<32 + 89_999, 0xffff0000: 0xffff0000} {
		if got, ok := a.Time(1, ts); !ok || ticks(got, 90_000) != want {
			t.Errorf("%d: got %d, %v; want %d", ts, ticks(got, 90_000), ok, want)
		}
	}
	if _, ok := a.Time(2, 0); ok {
		t.Error("a time of another SSRC")
	}
}

func TestUnsupported(t *testing.T) {
	for name, c := range map[string]Config{
		"media type": configOf("audio/G729"),
		"no clock":   {Track: feed.Track{MediaType: media.H264}},
		"AAC":        {Track: feed.Track{MediaType: feed.AAC}, ClockRate: 48_000, AAC: AAC{SizeLength: 33}},
	} {
		if a, err := New(c); feed.ReasonOf(err) != feed.Unsupported || a != nil {
			t.Errorf("%s: got %v, %v", name, a, err)
		}
	}
}
