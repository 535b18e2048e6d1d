package origin

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/pion/rtp"
)

var some = Origin{Epoch: 0x0102030405060708, Sequence: 77, Captured: time.UnixMicro(1_800_000_000_123_456)}

// values are extensions as they may arrive.
var values = []struct {
	name         string
	frame, epoch []byte
	ok           bool
}{
	{"of a frame", join(some.Frame()), run(some), true},
	{"the first frame ever", join(Origin{Epoch: 1}.Frame()), run(Origin{Epoch: 1}), true},
	{"no epoch", join(some.Frame()), nil, false},
	{"no frame", nil, run(some), false},
	{"epoch 0", join(some.Frame()), make([]byte, 8), false},
	{"a negative epoch", join(some.Frame()), bytes.Repeat([]byte{0xff}, 8), false},
	{"a negative sequence", bytes.Repeat([]byte{0xff}, 16), run(some), false},
	{"cut", join(some.Frame())[:15], run(some), false},
	{"too long", append(join(some.Frame()), 0), run(some), false},
}

func join(b [16]byte) []byte { return b[:] }
func run(o Origin) []byte    { b := o.Run(); return b[:] }

func TestParse(t *testing.T) {
	for _, tt := range values {
		if o, ok := parse(tt.frame, tt.epoch); ok != tt.ok {
			t.Errorf("%s: %v, %v", tt.name, o, ok)
		}
	}
}

// TestWire: what goes into the extensions of a packet comes out, in the short and in the long form.
func TestWire(t *testing.T) {
	for _, ids := range []IDs{{Frame: 1, Epoch: 14}, {Frame: 15 + 1, Epoch: 255}} {
		h := rtp.Header{Version: 2}
		if max(ids.Frame, ids.Epoch) > 14 {
			h.Extension, h.ExtensionProfile = true, rtp.ExtensionProfileTwoByte
		}
		if err := h.SetExtension(ids.Frame, join(some.Frame())); err != nil {
			t.Fatal(err)
		}
		if err := h.SetExtension(ids.Epoch, run(some)); err != nil {
			t.Fatal(err)
		}
		data, err := h.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var got rtp.Header
		if _, err := got.Unmarshal(data); err != nil {
			t.Fatal(err)
		}
		if o, ok := ids.Of(&got); !ok || o.Epoch != some.Epoch || o.Sequence != some.Sequence ||
			!o.Captured.Equal(some.Captured) {
			t.Errorf("%v: %v, %v", ids, o, ok)
		}
		if _, ok := (IDs{}).Of(&got); ok {
			t.Errorf("%v: an origin without numbers", ids)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range values {
		f.Add(tt.frame, tt.epoch)
	}
	f.Fuzz(func(t *testing.T, frame, epoch []byte) {
		o, ok := parse(frame, epoch)
		if !ok {
			return
		}
		if o.Epoch <= 0 || o.Sequence < 0 || o.Captured.UnixMicro() > math.MaxInt64/2 && o.Captured.Year() < 1970 {
			t.Errorf("%+v", o)
		}
		if again := o.Frame(); !bytes.Equal(again[:], frame) {
			t.Errorf("%x became %x", frame, again)
		}
	})
}
