//go:build !nolibav

package ingest

import (
	"context"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// publish has ffmpeg push pictures and 440 Hz in stereo AAC of 44.1 kHz, as soon as somebody listens at an address.
func publish(t *testing.T, address, key string) {
	t.Helper()
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("SKIPPED: there is no ffmpeg (Debian: ffmpeg) to publish with; `make test` installs it")
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if c, err := net.Dial("tcp", address); err == nil {
				_ = c.Close()
				_ = exec.CommandContext(ctx, program, "-loglevel", "error", "-re",
					"-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25",
					"-f", "lavfi", "-i", "aevalsrc='0.25*sin(2*PI*440*t)|0.25*sin(2*PI*440*t)':s=44100",
					"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-c:a", "aac",
					"-f", "flv", "rtmp://"+address+"/live/"+key).Run() // until it is killed
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// nowhere is a camera without an address.
type nowhere struct{}

func (nowhere) URL() string { return "" }

// What ffmpeg publishes by RTMP, and OBS likewise, is heard: both send AAC.
func TestSoundOfAPublisher(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // the process listens there
	publish(t, address, "key")
	w := start(t, nowhere{}, func(c *Config) { c.Listen, c.Password = address, "key" })
	w.await("sound", hasSound)
	if got := w.process.Kit().Device().GetAttributes()["sound"]; got != "AAC, 44100 Hz stereo" {
		t.Errorf("sound is %q", got)
	}
	call := w.listen()
	var heard []float32
	for deadline := time.Now().Add(patience); ; {
		_, samples := w.block(call)
		if heard = append(heard, samples...); len(heard) < pcm.OpusRate*4/5 {
			continue
		}
		m, ok := isTone(heard, -12)
		if ok {
			return
		}
		if heard = heard[len(heard)/2:]; time.Now().After(deadline) {
			t.Fatalf("heard %+v, want 440 Hz at -12 dBFS", m)
		}
	}
}
