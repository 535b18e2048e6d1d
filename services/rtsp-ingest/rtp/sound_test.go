package rtp

import (
	"fmt"
	"testing"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

func soundConfig(mediaType string, rate int) Config {
	return Config{Track: feed.Track{MediaType: mediaType}, ClockRate: rate}
}

var (
	pcmu = soundConfig(feed.PCMU, 8000)
	aac  = soundConfig(feed.AAC, 16_000)

	latm       = latmConfig([]byte{0x40, 0x00, 0x28, 0x10, 0x3f, 0xc0})
	latmInBand = latmConfig(nil)
)

// latmConfig is AAC of 16 kHz, mono, in LATM.
func latmConfig(config []byte) Config {
	c := aac
	c.LATM = &LATM{Config: config}
	return c
}

// In the rows of AAC, 0010 is the number of bits of one AU header, 0018 the header of a frame of 3 bytes.
var soundTable = []example{
	{"30 G.711 at 16 kHz", soundConfig(feed.PCMA, 16_000), []in{
		{1, 0, "d5d5", true, 0, 0, 0}, {2, 320, "d5d4", false, 20, 0, 0},
	},
		[]string{"0@0: d5d5", "320@20: d5d4"}},
	{"L16", soundConfig(feed.L16, 44_100), []in{{1, 0, "0001", false, 0, 0, 0}}, []string{"0@0: 0001"}},
	{"30 Opus/48000/1", soundConfig(feed.Opus, 48_000), []in{{1, 960, "fc", false, 0, 0, 0}}, []string{"960@0: fc"}},
	{"packets are lost", pcmu, []in{
		{1, 0, "ff", false, 0, 0, 0}, {4, 480, "fe", false, 60, 0, 0}, {5, 640, "fd", false, 80, 0, 0},
	},
		[]string{"0@0: ff", "480@60 lost 2: fe", "640@80: fd"}},
	{"21 duplicates and a restart", pcmu, []in{
		{1, 0, "ff", false, 0, 0, 0}, {1, 0, "ff", false, 0, 0, 0},
		{9001, 480, "fe", false, 60, 0, 0}, {9003, 800, "fd", false, 80, 0, 0},
	}, []string{"0@0: ff", "480@60: fe", "800@80 lost 1: fd"}},
	{"20 out of order by UDP", udp(pcmu), []in{
		{1, 0, "f1", false, 0, 0, 0}, {3, 320, "f3", false, 1, 0, 0}, {2, 160, "f2", false, 2, 0, 0},
	}, []string{"0@0: f1", "160@2: f2", "320@1: f3"}},
	{"30 another payload type, empty packets", pcmu, []in{
		{1, 0, "ff", false, 0, 0, 0}, {2, 160, "aa", false, 20, 0, 13},
		{3, 320, "", false, 20, 0, 0}, {4, 480, "fe", false, 60, 0, 0},
	}, []string{"0@0: ff", "480@60: fe"}},

	{"AAC", aac, []in{{1, 0, "0010 0018 210102", true, 0, 0, 0}, {2, 1024, "0010 0018 210304", true, 64, 0, 0}},
		[]string{"0@0: 210102", "1024@64: 210304"}},
	{"AAC, two frames", aac, []in{
		{1, 0, "0020 0018 0010 210102 2103", true, 0, 0, 0}}, []string{"0@0: 210102", "1024@0: 2103"},
	},
	{"AAC, a frame in two packets", aac, []in{
		{1, 0, "0010 0028 210102", false, 0, 0, 0}, {2, 0, "0010 0028 0304", true, 1, 0, 0},
		{3, 1024, "0010 0008 21", true, 64, 0, 0},
	}, []string{"0@1: 2101020304", "1024@64: 21"}},
	{"AAC, half of a frame is lost", aac, []in{
		{1, 0, "0010 0028 210102", false, 0, 0, 0}, {3, 1024, "0010 0018 210304", true, 64, 0, 0},
	}, []string{"1024@64 lost 1: 210304"}},
	{"AAC, halves that do not fit", aac, []in{
		{1, 0, "0010 0028 210102", false, 0, 0, 0}, {2, 0, "0010 0028 03040506", true, 1, 0, 0},
		{3, 1024, "0010 0008 21", true, 64, 0, 0},
	}, []string{"1024@64 lost 1: 21"}},
	{"30 AAC with a wrong size", aac, []in{
		{1, 0, "0010 0008 210102", true, 0, 0, 0}, {2, 1024, "0010 0080 210304", true, 64, 0, 0},
	},
		[]string{"0@0: 210102", "1024@64: 210304"}},
	{"30 AAC with sizes beyond the packet", aac, []in{
		{1, 0, "0020 0010 0080 2101 22", true, 0, 0, 0}, {2, 2048, "0010 0008 21", true, 64, 0, 0},
	},
		[]string{"0@0 lost 1: 2101", "2048@64: 21"}},
	{"30 AAC with an empty frame", aac, []in{
		{1, 0, "0020 0000 0018 210102", true, 0, 0, 0}}, []string{"0@0: 210102"},
	},
	{"30 AAC with headers beyond the packet", aac, []in{
		{1, 0, "0100 0018 210102", true, 0, 0, 0}, {2, 0, "00", true, 0, 0, 0},
		{3, 0, "0000 21", true, 0, 0, 0}, {4, 0, "0007 21", true, 0, 0, 0},
		{5, 0, "0010 0018", true, 0, 0, 0}, {6, 1024, "0010 0008 21", true, 64, 0, 0},
	}, []string{"1024@64 lost 5: 21"}},
	{"30 ADTS inside", aac, []in{
		{1, 0, "0010 0050 fff1 6040 0140 fc 210102", true, 0, 0, 0}}, []string{"0@0: 210102"},
	},
	{"30 ADTS with a checksum inside", aac, []in{
		{1, 0, "0010 0058 fff0 6040 0160 fc abcd 2101", true, 0, 0, 0}}, []string{"0@0: 2101"},
	},
	{"30 ADTS instead of AU headers", aac, []in{
		{1, 0, "fff1 6040 0140 fc 210102 fff1 6040 0120 fc 2103", true, 0, 0, 0},
	},
		[]string{"0@0: 210102", "1024@0: 2103"}},
	{"30 ADTS with a wrong size", aac, []in{
		{1, 0, "fff1 6040 0180 fc 210102", true, 0, 0, 0}, {2, 1024, "fff1 6040 0020 fc 21", true, 64, 0, 0},
	},
		[]string{"0@0: 210102"}},

	{"G.726", soundConfig(feed.G726, 8000), []in{{1, 0, "1234", false, 0, 0, 0}}, []string{"0@0: 1234"}},
	{"LATM", latm, []in{{1, 0, "03 210102", true, 0, 0, 0}, {2, 1024, "02 2103", true, 64, 0, 0}},
		[]string{"0@0: 210102", "1024@64: 2103"}},
	{"LATM, an element in two packets, and one without a marker", latm, []in{
		{1, 0, "05 2101", false, 0, 0, 0}, {2, 0, "020304", true, 1, 0, 0},
		{3, 1024, "01 22", false, 64, 0, 0}, {4, 2048, "01 23", true, 128, 0, 0},
	}, []string{"0@0: 2101020304", "1024@64: 22", "2048@128: 23"}},
	{"LATM, half of an element is lost", latm, []in{
		{1, 0, "05 2101", false, 0, 0, 0}, {3, 1024, "01 22", true, 64, 0, 0},
	}, []string{"1024@64 lost 2: 22"}},
	{"LATM with sizes beyond the element, and bytes behind it", latm, []in{
		{1, 0, "ffff 21", true, 0, 0, 0}, {2, 0, "", true, 0, 0, 0}, {3, 1024, "01 22 00", true, 64, 0, 0},
	}, []string{"1024@64 lost 1: 22"}},
	{"LATM with its configuration in the stream", latmInBand, []in{
		{1, 0, "8180 9080", true, 0, 0, 0}, // the same as before, which is not known
		{2, 1024, "2000 1408 1fe0 0910", true, 64, 0, 0}, {3, 2048, "80 91 00", true, 128, 0, 0},
	}, []string{"1024@64 lost 1: 22", "2048@128: 22"}},
}

func TestSound(t *testing.T) {
	for _, e := range soundTable {
		e.test(t)
	}
}

// What an ADTS header says wins over the SDP, unless both say the same.
func TestADTSDescribesTheSound(t *testing.T) {
	for _, test := range []struct {
		config, data string
		want         string
	}{
		{"1408", "fff1 6040 0140 fc 210102", "1408 16000 1"},
		{"2b098800", "fff1 5840 0140 fc 210102", "2b098800 16000 1"},
		{"1408", "fff1 4c80 0140 fc 210102", "1190 48000 2"},
		{"1408", "fff1 7c80 0140 fc 210102", "1408 16000 1"}, // of a rate that is reserved
	} {
		c := aac
		c.Track.Config, c.Track.SampleRate, c.Track.Channels = unhex(t, test.config), 16000, 1
		a, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		a.Push(in{1, 0, test.data, true, 0, 0, 0}.packet(t), start, feed.Receiver{Sound: func(s feed.Sound) {
			got = fmt.Sprintf("%x %d %d", s.Track.Config, s.Track.SampleRate, s.Track.Channels)
		}})
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.data, got, test.want)
		}
	}
}

// HE-AAC of 48 kHz has frames of twice as many samples.
func TestFramesOfHighEfficiency(t *testing.T) {
	c := soundConfig(feed.AAC, 48_000)
	c.Track.Config = unhex(t, "2b098800")
	got := run(t, c, []in{{1, 0, "0020 0018 0010 210102 2103", true, 0, 0, 0}})
	if fmt.Sprint(got) != "[0@0: 210102 2048@0: 2103]" {
		t.Errorf("got %q", got)
	}
}
