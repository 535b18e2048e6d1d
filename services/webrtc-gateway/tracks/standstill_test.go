package tracks

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

// TestStandstill: a viewer gets the picture at which a replay stands still again until it says that it has it. Nothing
// of a live robot is repeated.
func TestStandstill(t *testing.T) {
	for _, tt := range []struct {
		name         string
		replay       bool
		reportsAfter time.Duration // 0: never
		want         int           // pictures
	}{
		{"is reported", true, atFirst / 2, 1},
		{"is reported late", true, 2 * atFirst, 2},
		{"is reported later", true, 6 * atFirst, 3},
		{"is never reported", true, 0, 1 + mostRepeats},
		{"is live", false, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := newBench(t), &sink{ssrc: 7}
				b.feed.never = true
				v := b.viewer(s)
				f := fakecam.Frame(b.epoch, 0, true, 3000)
				if tt.replay {
					f.ReplayTime = timestamppb.Now()
				}
				b.feed.frames <- f
				if tt.reportsAfter > 0 {
					time.Sleep(tt.reportsAfter)
					synctest.Wait()
					report := func(seq uint16, ssrc uint32) {
						v.HandleRTCP([]rtcp.Packet{&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{
							{SSRC: ssrc, LastSequenceNumber: 1<<16 | uint32(seq)}}}})
					}
					all := s.all()
					report(all[len(all)-1].SequenceNumber, 7)
					report(all[0].SequenceNumber-1, 8) // of another stream
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := s.frames(); got != tt.want {
					t.Errorf("%d pictures were sent, want %d", got, tt.want)
				}
				s.checkUnbroken(t)
				b.end(v)
			})
		})
	}
}
