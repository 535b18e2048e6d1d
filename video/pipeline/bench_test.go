package pipeline

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/testsource"
)

// BenchmarkFrameToReader measures the time from a captured picture to the reader's hand, encoding included.
func BenchmarkFrameToReader(b *testing.B) {
	for _, size := range [][2]int{{640, 480}, {1280, 720}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			src, err := testsource.Open(testsource.Config{Width: size[0], Height: size[1], FrameRate: 30, Animated: true})
			if err != nil {
				b.Fatal(err)
			}
			p := New(Config{Bitrate: 2_000_000, Codecs: standard.Codecs()})
			defer p.Close()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			attached, ended := make(chan struct{}), make(chan struct{})
			go func() { defer close(ended); _ = p.Run(ctx, src, func() { close(attached) }) }()
			<-attached
			r, err := p.Open(h264())
			if err != nil {
				b.Fatal(err)
			}
			var age time.Duration
			bytes := 0
			for b.Loop() {
				f, err := r.Next(ctx)
				if err != nil {
					b.Fatal(err)
				}
				age += time.Since(f.GetCaptureTime().AsTime())
				bytes += len(f.GetData())
			}
			b.ReportMetric(float64(age.Microseconds())/float64(b.N)/1000, "ms/frame")
			b.ReportMetric(float64(bytes)/float64(b.N)*8*30/1e6, "Mbit/s")
			r.Close()
			cancel()
			<-ended
		})
	}
}

// BenchmarkFirstPicture measures the time from the first reader's Open, with nothing running, to its first H.264 frame.
func BenchmarkFirstPicture(b *testing.B) {
	for _, size := range [][2]int{{640, 480}, {1280, 720}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			src, err := testsource.Open(testsource.Config{Width: size[0], Height: size[1], FrameRate: 30, Animated: true})
			if err != nil {
				b.Fatal(err)
			}
			p := New(Config{Bitrate: 2_000_000, Codecs: standard.Codecs()})
			defer p.Close()
			ctx, cancel := context.WithCancel(b.Context())
			attached, ended := make(chan struct{}), make(chan struct{})
			go func() { defer close(ended); _ = p.Run(ctx, src, func() { close(attached) }) }()
			<-attached
			for b.Loop() {
				r, err := p.Open(h264())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.Next(ctx); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
			cancel()
			<-ended
		})
	}
}
