package standard

import (
	"encoding/binary"
	"fmt"
	"path"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/codectest"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

func TestH264Conformance(t *testing.T) {
	codectest.Run(t, h264(), func(_ *mediav1.VideoFormat, packets []codec.Packet) (string, []byte) {
		var file []byte
		for _, p := range packets {
			file = append(file, p.Data...)
		}
		return "h264", file
	})
}

func TestVP8Conformance(t *testing.T) {
	codectest.Run(t, vp8(), func(f *mediav1.VideoFormat, packets []codec.Packet) (string, []byte) {
		return "ivf",
			ivf(f, packets)
	})
}

// BenchmarkEncode has the inter-coded codecs do the same in one run.
func BenchmarkEncode(b *testing.B) {
	for _, c := range []codec.Codec{h264(), vp8()} {
		for _, size := range [][2]int32{{640, 480}, {1280, 720}} {
			b.Run(fmt.Sprintf("%s/%dx%d", path.Base(c.MediaType), size[0], size[1]), func(b *testing.B) {
				e, err := c.NewEncoder(format(c.MediaType, "", size[0], size[1]), codec.Options{Bitrate: 2_000_000})
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				var clip []*media.I420
				for i := range 30 {
					clip = append(clip, yuvtest.Grain(yuvtest.Picture(int(size[0]), int(size[1]), i), 4, uint64(i)))
				}
				b.ReportAllocs()
				defer yuvtest.MeasureCPU(b)()
				bytes, i, at := 0, 0, time.Now()
				for b.Loop() {
					at = at.Add(time.Second / 30)
					p, err := e.Encode(clip[i%len(clip)], false, at)
					if err != nil {
						b.Fatal(err)
					}
					bytes += len(p.Data)
					i++
				}
				b.ReportMetric(float64(bytes)*8*30/float64(i)/1000, "kbit/s@30fps")
			})
		}
	}
}

// ivf is the file format of libvpx's own tools.
func ivf(f *mediav1.VideoFormat, packets []codec.Packet) []byte {
	file := append([]byte("DKIF"), 0, 0, 32, 0)
	file = append(file, "VP80"...)
	file = binary.LittleEndian.AppendUint16(file, uint16(f.GetWidthPx()))
	file = binary.LittleEndian.AppendUint16(file, uint16(f.GetHeightPx()))
	file = binary.LittleEndian.AppendUint32(file, 30) // a second
	file = binary.LittleEndian.AppendUint32(file, 1)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(packets)))
	file = binary.LittleEndian.AppendUint32(file, 0)
	for i, p := range packets {
		file = binary.LittleEndian.AppendUint32(file, uint32(len(p.Data)))
		file = binary.LittleEndian.AppendUint64(file, uint64(i))
		file = append(file, p.Data...)
	}
	return file
}
