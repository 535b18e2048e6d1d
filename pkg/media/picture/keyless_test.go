package picture

import (
	"bytes"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
)

// Slices of H.264 that begin a picture and use the first set: one that refers to others, and one that does not.
var (
	interSlice = []byte{0x41, 0x9a, 0x80, 0x80, 0x80, 0x80}
	intraSlice = []byte{0x41, 0x88, 0x80, 0x80, 0x80, 0x80}
)

// keylessTable says with which picture a camera without IDR is shown, by when its pictures come.
var keylessTable = []struct {
	name    string
	message []byte // in each fifth picture
	fifth   []byte // its slice
	shown   time.Duration
}{
	{"a recovery point", recoveryPoint, interSlice, 0},
	{"a recovery point behind another message", []byte{6, 5, 2, 7, 7, 6, 2, 0x02, 0x90, 0x80}, interSlice, 0},
	{"another message", []byte{6, 5, 2, 7, 7, 0x80}, interSlice, -1},
	{"intra pictures, unmarked", nil, intraSlice, unmarked},
	{"nothing", nil, interSlice, -1},
	{"a message that is cut off", []byte{6, 0xff, 0xff}, interSlice, -1},
}

func TestKeyless(t *testing.T) {
	sets := clip(t, "baseline.h264")[0].Data
	for _, tt := range keylessTable {
		t.Run(tt.name, func(t *testing.T) {
			s := newStream(media.H264)
			for n := range 250 { // 10 s
				p := Picture{MediaType: media.H264, Time: time.Duration(n) * tick, Arrival: start.Add(time.Duration(n) * tick)}
				p.Data = [][]byte{interSlice}
				if n%5 == 0 {
					p.Data = [][]byte{sets[0], sets[1], tt.fifth}
					if tt.message != nil {
						p.Data = [][]byte{sets[0], sets[1], tt.message, tt.fifth}
					}
				}
				f, ok := s.Picture(p, p.Arrival)
				if want := tt.shown >= 0 && p.Arrival.Sub(start) >= tt.shown; ok != want {
					t.Fatalf("after %v a picture is shown: %v", p.Arrival.Sub(start), ok)
				}
				if !ok {
					continue
				}
				if !f.Recode || f.Key != (n%5 == 0) {
					t.Fatalf("after %v a key frame: %v, encoded again: %v", p.Arrival.Sub(start), f.Key, f.Recode)
				}
				if tt.message == nil && f.Key && !bytes.Contains(f.Data, recoveryPoint) {
					t.Fatal("nothing tells a decoder that it can begin")
				}
			}
		})
	}
}

// An IDR that comes ends all that: recovery points are nothing particular then, and pictures pass.
func TestRecoveryPointsBesideKeyFrames(t *testing.T) {
	pictures := clip(t, "baseline.h264")
	s := newStream(media.H264)
	for i, p := range pictures {
		p.Data = append([][]byte{recoveryPoint}, p.Data...)
		f, ok := s.Picture(p, p.Arrival)
		if !ok || f.Recode || f.Key != (i%6 == 0) {
			t.Errorf("picture %d: shown %v, key %v, encoded again %v", i, ok, f.Key, f.Recode)
		}
	}
}
