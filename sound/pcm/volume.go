package pcm

import (
	"math"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
)

// Limits of a Volume, in dB.
const (
	MinGain = -60
	MaxGain = 20
)

// Volume is how loud something is set. Get and Set may be called from any goroutine, Apply from one. Its zero value
// leaves sound as it is.
type Volume struct {
	set atomic.Pointer[audiov1.Volume]
	cut float32 // 1 minus the factor that the last block ended with, so that zero means nothing has changed
}

// Get returns the setting.
func (v *Volume) Get() *audiov1.Volume {
	if set := v.set.Load(); set != nil {
		return proto.CloneOf(set)
	}
	return &audiov1.Volume{}
}

// Set changes the setting, whose gain must be in range.
func (v *Volume) Set(to *audiov1.Volume) { v.set.Store(proto.CloneOf(to)) }

// Apply makes a block of samples as loud as is set. A change is spread over the block, so that it does not click.
func (v *Volume) Apply(samples []float32, channels int) {
	from, to := 1-v.cut, v.factor()
	v.cut = 1 - to
	switch {
	case from == 1 && to == 1:
	case from == to:
		for i := range samples {
			samples[i] *= to
		}
	default:
		step := (to - from) / float32(max(len(samples)/channels, 1))
		for i := range samples {
			samples[i] *= from + step*float32(i/channels+1)
		}
	}
}

func (v *Volume) factor() float32 {
	set := v.set.Load()
	switch {
	case set == nil:
		return 1
	case set.GetMuted():
		return 0
	}
	return float32(math.Pow(10, set.GetGainDb()/20))
}
