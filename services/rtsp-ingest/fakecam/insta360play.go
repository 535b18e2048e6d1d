package fakecam

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// firstTime is the camera's time of the first picture, in milliseconds.
const firstTime = 5000

// preview sends pictures until ctx ends. A camera that could not run sends what is due: its stamps are those of a
// clock.
func (v *insta360Viewer) preview(ctx context.Context) {
	config := v.camera.config
	start := time.Now()
	for n := 0; sleep(ctx, time.Until(start.Add(time.Duration(n)*config.Interval))); n++ {
		if !v.camera.isPaused() {
			unit := config.Video.Units[n%len(config.Video.Units)]
			at := firstTime + uint64(time.Duration(n)*config.Interval/time.Millisecond)
			if v.send(v.packets(unit, at, n)...) != nil {
				return
			}
			v.camera.add(UnitSent)
			if unit.Key {
				v.camera.add(KeySent)
			}
		}
	}
}

func (c *Insta360) isPaused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused
}

// packets returns a picture and what comes with it.
func (v *insta360Viewer) packets(unit Unit, at uint64, n int) []wire.Packet {
	config := v.camera.config
	var picture []byte
	for _, nal := range unit.Data {
		picture = annexb.Append(picture, nal)
	}
	parts := [][]byte{picture}
	if config.Cut != nil {
		parts = config.Cut(picture)
	}
	var packets []wire.Packet
	for _, part := range parts {
		packets = append(packets, wire.Packet{Kind: wire.Stream, Type: wire.Video, Time: at, Data: part})
	}
	if config.Gyro > 0 {
		packets = append(packets, wire.Packet{Kind: wire.Stream, Type: wire.Gyro, Time: at,
			Data: gyroRecord(config.Gyro, at)})
	}
	if config.Between != nil {
		packets = append(packets, config.Between(n)...)
	}
	return packets
}

// gyroRecord returns one record: at rest, turning about x.
func gyroRecord(size int, at uint64) (b []byte) {
	if size == 56 {
		b = binary.LittleEndian.AppendUint64(b, at)
	}
	for _, v := range []float64{0.25, -0.5, 1, 0.1, 0, -0.2} { // g, rad/s
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// send sends packets as the config says: cut, merged or as they are. Streams may wait to be merged; with anything else,
// all goes out.
func (v *insta360Viewer) send(packets ...wire.Packet) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	for _, p := range packets {
		v.merged = p.Append(v.merged)
		if v.waiting++; v.waiting < v.camera.config.Merge && p.Kind == wire.Stream {
			continue
		}
		b := v.merged
		v.merged, v.waiting = nil, 0
		if err := v.writeLocked(b); err != nil {
			return err
		}
	}
	return nil
}

func (v *insta360Viewer) write(b []byte) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	return v.writeLocked(b)
}

// writeLocked writes in pieces. The caller holds writing.
func (v *insta360Viewer) writeLocked(b []byte) error {
	size := v.camera.config.Write
	if size <= 0 {
		size = len(b)
	}
	for len(b) > 0 {
		n := min(size, len(b))
		if _, err := v.socket.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
