package replay

import (
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/play"
)

func TestOtherKinds(t *testing.T) {
	for _, tt := range []struct{ kinds, want []string }{
		{[]string{"camera", "camera"}, nil},
		{[]string{"camera", ""}, nil},
		{[]string{"input", "camera", "audio", "camera"}, []string{"audio", "camera"}},
	} {
		d := &recorded{Device: play.Device{Kind: tt.kinds[0]}}
		for _, kind := range tt.kinds {
			d.Channels = append(d.Channels, &play.Channel{Waldo: recording.Channel{Kind: kind}})
		}
		if got := d.otherKinds(); !slices.Equal(got, tt.want) {
			t.Errorf("%v: %v", tt.kinds, got)
		}
	}
}
