package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMistakesAreNamed(t *testing.T) {
	for args, want := range map[string]string{
		"--behave nothing":         "--list",
		"--behave http-lf":         "--http",
		"--clip other.h264":        "baseline.h264",
		"--sound mp3":              "tone.opus",
		"--speaker tone.aac":       "L16",
		"--heard /nowhere/at/all":  "--heard",
		"--obeys pli,everything":   "take pli, fir or point",
		"other":                    "--help",
		"--rtsp nowhere:1:2":       "too many colons",
		"--rtsp= --http nowhere:x": "unknown port",
		"--rtsp= --insta360 x:1:2": "too many colons",
	} {
		t.Run(args, func(t *testing.T) {
			err := run(t.Context(), strings.Fields(args), io.Discard)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not name %q", err, want)
			}
		})
	}
}

func TestList(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"--list"}, &out); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(out.String(), "\n"),
		len(fakecam.Behaviours())+len(fakecam.JPEGBehaviours()); got != want {
		t.Errorf("%d lines for %d oddities", got, want)
	}
}

func TestRuns(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, strings.Fields("--rtsp 127.0.0.1:0 --http 127.0.0.1:0 --rtmp 127.0.0.1:0 "+
			"--insta360 127.0.0.1:0 --onvif 127.0.0.1:0 --sound PCMU --user ann --obeys pli,point"), w)
		w.Close()
	}()
	buf := make([]byte, 1000)
	for _, scheme := range []string{"rtsp://", "http://", "rtmp://", "insta360://", "http://"} {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(buf[:n]), scheme)
		address, _, _ := strings.Cut(strings.TrimSpace(rest), "/")
		nc, err := net.Dial("tcp", address)
		if !ok || err != nil {
			t.Fatalf("%q: %v", buf[:n], err)
		}
		nc.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
