package folder_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/recording/folder"
)

// names are names of files, and whether they are those of recordings.
var names = map[string]bool{
	"2026-11-30T07-10-00.000Z_rover_001.mcap":                           true,
	"2026-11-30T07-10-00.123Z_a-2_999.mcap":                             true,
	"2026-11-30T07-10-00.000Z_rover_1000.mcap":                          true,
	"2026-11-30T07-10-00.000Z_rover_999999.mcap":                        true,
	"2026-11-30T07-10-00.000Z_rover_1000000.mcap":                       false,
	"2026-11-30T07-10-00.000Z_rover_000.mcap":                           false,
	"2026-11-30T07-10-00.000Z_rover_0001.mcap":                          false,
	"2026-11-30T07-10-00.000Z_rover_1.mcap":                             false,
	"2026-11-30T07-10-00.000Z_rover_-01.mcap":                           false,
	"2026-11-30T07-10-00.000Z_rover_001.mp4":                            false,
	"2026-11-30T07-10-00.000Z_rover_001.mcap.part":                      false,
	"2026-11-30T07-10-00.000Z_Rover_001.mcap":                           false,
	"2026-11-30T07-10-00.000Z_a_b_001.mcap":                             false,
	"2026-11-30T07-10-00.000Z__001.mcap":                                false,
	"2026-11-30T07-10-00.000Z_../x_001.mcap":                            false,
	"2026-13-30T07-10-00.000Z_rover_001.mcap":                           false,
	"2026-11-30T07-10-00Z_rover_001.mcap":                               false,
	"2026-11-30T07:10:00.000Z_rover_001.mcap":                           false,
	"2026-11-30T07-10-00.000Z_" + strings.Repeat("a", 64) + "_001.mcap": false,
	"": false, ".mcap": false, "__.mcap": false,
}

// TestName: a name is that of a recording in one form only.
func TestName(t *testing.T) {
	for name, want := range names {
		n, ok := folder.Parse(name)
		if ok != want || ok && n.String() != name {
			t.Errorf("%q: %v, %v", name, n, ok)
		}
	}
	n := folder.Name{Start: time.Date(2026, 11, 30, 9, 10, 0, 5e6, time.FixedZone("", 7200)), Robot: "rover", Number: 1}
	if got := n.Next().String(); got != "2026-11-30T07-10-00.005Z_rover_002.mcap" {
		t.Error(got)
	}
	for _, bad := range []folder.Name{{}, {Robot: "rover"}, {Robot: "..", Number: 1}, {Robot: "rover", Number: 1_000_000},
		{Start: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC), Robot: "rover", Number: 1}} {
		if bad.Valid() {
			t.Errorf("%v is valid", bad)
		}
	}
}

// FuzzParse: a name that is accepted names a file in the folder, and is the only form of itself.
func FuzzParse(f *testing.F) {
	for name := range names {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		n, ok := folder.Parse(name)
		if !ok {
			return
		}
		if strings.ContainsAny(name, "/\\\x00") || !n.Valid() || n.String() != name {
			t.Errorf("%q is %+v", name, n)
		}
	})
}
