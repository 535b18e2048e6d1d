package rtsp_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/rtsp"
)

// startGStreamer starts GStreamer's RTSP server, and returns where it is. With so many places, there may be so many
// sessions at a time. What is said to it is in a file.
func startGStreamer(t *testing.T, places string) (url, heard string) {
	t.Helper()
	heard = filepath.Join(t.TempDir(), "heard")
	server := exec.Command("/usr/bin/python3", "testdata/gstreamer_server.py", places, heard)
	input, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var says strings.Builder
	server.Stderr = &says
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	port, err := bufio.NewReader(output).ReadString('\n')
	t.Cleanup(func() {
		_ = input.Close() // which ends it
		if err := server.Wait(); err != nil {
			t.Errorf("%v\n%s", err, says.String())
		}
	})
	if err != nil {
		t.Fatalf("GStreamer's RTSP server does not start (see deps-test of the Makefile): %v", err)
	}
	return "rtsp://127.0.0.1:" + strings.TrimSpace(port), heard
}

func gstreamer(t *testing.T, url string) rtsp.Config {
	t.Helper()
	a, err := address.Parse(url, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return rtsp.Config{Address: a, Limits: rtsp.Limits{UDP: 20 * time.Second}}
}

func TestGStreamer(t *testing.T) {
	url, _ := startGStreamer(t, "0")
	for _, tt := range []struct {
		path, pictures, sound string
		udp                   bool
	}{
		{"/alaw", media.H264, feed.PCMA, false}, {"/alaw", media.H264, feed.PCMA, true},
		{"/opus", media.H264, feed.Opus, false}, {"/jpeg", media.JPEG, "", true},
	} {
		over := map[bool]string{false: "TCP", true: "UDP"}[tt.udp]
		t.Run(tt.path[1:]+" over "+over, func(t *testing.T) {
			config := gstreamer(t, url+tt.path)
			config.UDP = tt.udp
			v := view(t, config)
			for range 5 {
				if p := next(t, v.pictures); p.MediaType != tt.pictures || p.Damaged {
					t.Errorf("%s, damaged: %v", p.MediaType, p.Damaged)
				}
			}
			if tt.sound != "" {
				if s := next(t, v.sounds); s.Track.MediaType != tt.sound || len(s.Data) == 0 {
					t.Errorf("%+v, %d bytes", s.Track, len(s.Data))
				}
			}
			if got := v.Attributes(); got["transport"] != over || got["server"] != "GStreamer RTSP server" {
				t.Error(got)
			}
			if err := v.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// GStreamer's server keeps the place of a client that died for a minute. The next one adopts its session.
func TestGStreamerHandsOverTheOnlyPlace(t *testing.T) {
	url, _ := startGStreamer(t, "1")
	config := gstreamer(t, url+"/h264")
	config.Directory = t.TempDir()
	config.Limits.Goodbye = time.Nanosecond // they die without a word
	for n := range 4 {
		v := view(t, config)
		next(t, v.pictures)
		if adopted := v.Attributes()["session"] == "adopted"; adopted != (n > 0) {
			t.Errorf("connection %d: %v", n, v.Attributes())
		}
		if err := v.stop(); err != nil {
			t.Error(err)
		}
	}
	config.Directory = ""
	if _, err := rtsp.Open(soon(t), config); feed.ReasonOf(err) != feed.Full {
		t.Errorf("the place is not kept: %v", err)
	}
}

// GStreamer's server hears what is said, while it sends pictures.
func TestGStreamerHears(t *testing.T) {
	url, heard := startGStreamer(t, "0")
	v := view(t, gstreamer(t, url+"/talk"))
	next(t, v.pictures)
	voice, err := v.Talk(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	defer voice.Close()
	const block, loud = 160, 0x80 // full scale in µ-law
	for at := time.Duration(0); ; at += 20 * time.Millisecond {
		if err := voice.Say(bytes.Repeat([]byte{loud}, block), at); err != nil {
			t.Fatal(err)
		}
		next(t, v.pictures)
		data, err := os.ReadFile(heard)
		if err == nil && len(data) >= 10*2*block {
			break
		}
		if at > time.Minute {
			t.Fatalf("it heard %d bytes of %v: %v", len(data), at, err)
		}
	}
	data, err := os.ReadFile(heard)
	if err != nil || int16(binary.LittleEndian.Uint16(data)) < 30000 {
		t.Errorf("it heard %v, %v", data[:2], err)
	}
}
