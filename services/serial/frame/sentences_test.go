package frame

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// nmea makes a sentence with its checksum.
func nmea(body string) string { return fmt.Sprintf("$%s*%02X", body, fold([]byte(body), xor)) }

func TestSentences(t *testing.T) {
	a, b := nmea("GPRMC,,V,,,,,,,,,,N"), nmea("GPVTG,,,,,,,,,N")
	ais := "!" + nmea("AIVDM,1,1,,A,13aGt0PP0jPN@9fMPKVDJgwfR>`<,0")[1:]
	for name, tt := range map[string]struct {
		in        string
		want      []string
		discarded map[Reason]int
	}{
		"lines":                     {a + "\r\n" + b + "\r\n" + ais + "\r\n", []string{a, b, ais}, nil},
		"line feeds only":           {a + "\n" + b, []string{a, b}, nil},
		"carriage returns only":     {a + "\r" + b + "\r", []string{a, b}, nil},
		"nothing between":           {a + b + ais, []string{a, b, ais}, nil},
		"begun in the middle":       {a[7:] + "\r\n" + b, []string{b}, map[Reason]int{Misaligned: len(a) - 7}},
		"cut off by the next":       {a[:9] + b, []string{b}, map[Reason]int{Misaligned: 9}},
		"cut off in the checksum":   {a[:len(a)-1] + b, []string{b}, map[Reason]int{Misaligned: len(a) - 1}},
		"cut off at the checksum":   {a[:len(a)-2] + b, []string{b}, map[Reason]int{Misaligned: len(a) - 2}},
		"a sentence within another": {a[:9] + b + a[9:] + ais, []string{b, ais}, map[Reason]int{Misaligned: len(a)}},
		"one is damaged": {strings.Replace(a, "V", "A", 1) + "\r\n" + b,
			[]string{strings.Replace(a, "V", "A", 1), b}, nil},
		"its asterisk is lost": {strings.Replace(a, "*", "", 1) + b, []string{b},
			map[Reason]int{Misaligned: len(a) - 1}},
		"its checksum is lost": {a[:len(a)-3] + "\r\n" + b, []string{a[:len(a)-3], b}, nil},
		"a false end":          {"$GP*G7" + b, []string{b}, map[Reason]int{Misaligned: 6}},
		"binary in front": {"\xb5\x62\x01\x07$!\x00*12" + a + "\xd3\x00\x13$*" + b, []string{a, b},
			map[Reason]int{Misaligned: 14}},
		"binary as long as a sentence": {strings.Repeat("\xb5", 3*MaxSentence) + b, []string{b},
			map[Reason]int{Misaligned: 3 * MaxSentence}},
		"binary that begins one": {"$" + strings.Repeat("\xb5", 3*MaxSentence) + b, []string{b},
			map[Reason]int{TooLong: 1, Misaligned: 3 * MaxSentence}},
		"a start as text": {nmea("GPTXT,01,01,02,cost 5$ now!") + b,
			[]string{nmea("GPTXT,01,01,02,cost 5$ now!"), b}, nil},
		"bytes that are not UTF-8":  {nmea("GPTXT,01,01,02,\xb0C"), []string{nmea("GPTXT,01,01,02,\xb0C")}, nil},
		"no checksum":               {"$GPRMC,,V,,\r\n$GPVTG,,*\r\n", []string{"$GPRMC,,V,,", "$GPVTG,,*"}, nil},
		"no checksum, begun before": {"$GPRMC,12$GPVTG,,\r\n", []string{"$GPVTG,,"}, map[Reason]int{Misaligned: 9}},
		"a tag block": {`\g:1-3-1234,s:r3669961,c:1120959341*0c\` + a, []string{a},
			map[Reason]int{Misaligned: 39}},
		"prose": {"booting, please wait\r\n$ price!\r\n", nil, map[Reason]int{Misaligned: 30}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, step := range []int{1, 2, 7, len(tt.in)} {
				discarded := map[Reason]int{}
				s := NewSentences(func(why Reason, n int) { discarded[why] += n })
				var got []string
				for piece := range slices.Chunk([]byte(tt.in), step) {
					s.Feed(piece, time.Time{}, func(m []byte) { got = append(got, string(m)) })
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("%d bytes at a time: %q, want %q", step, got, tt.want)
				}
				for why, n := range tt.discarded {
					if d := discarded[why]; d < n || d > n+8 { // and ends of lines
						t.Errorf("%d bytes %s, want %d", d, why, n)
					}
				}
			}
		})
	}
}

// TestReceivers reads what receivers have sent.
func TestReceivers(t *testing.T) {
	for file, want := range map[string][]string{
		"nmea-glued-and-binary.bin": {"$GNVTG", "$GNRMC", "$GNGGA", "$GNRMC", "$GNRMC"},
		"nmea-cr-only.txt":          {"$GPRMC", "$GPGGA"},
		"nmea-no-checksum.txt":      {"$GPRMC", "$GPGGA", "$GPGGA"},
	} {
		data, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		s := NewSentences(nil)
		s.Feed(data, time.Time{}, func(m []byte) {
			got = append(got, string(m[:6]))
			if end := bytes.LastIndexByte(m, '*'); !strings.Contains(file, "no-checksum") &&
				nmea(string(m[1:end])) != string(m) {
				t.Errorf("%s: the checksum of %q is wrong", file, m)
			}
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}
