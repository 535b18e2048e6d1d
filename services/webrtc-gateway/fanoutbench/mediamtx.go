package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// startMediamtx starts mediamtx, and sends it by WHIP the frames that the bare sender makes.
func startMediamtx(file string) (s *sender, err error) {
	address, ice, err := freeAddresses()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "fanoutbench")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }() // it is read at the start
	config := filepath.Join(folder, "mediamtx.yml")
	text := fmt.Sprintf("logLevel: warn\nrtsp: false\nrtmp: false\nhls: false\nsrt: false\nmoq: false\n"+
		"webrtcAddress: %s\nwebrtcLocalUDPAddress: %s\nwebrtcIPsFromInterfaces: false\nwebrtcAdditionalHosts: "+
		"[127.0.0.1]\npaths: {front: {}}\n",
		address, ice)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(file, config)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	publisher, err := publish("http://" + address + "/front/whip")
	end := func() error {
		if publisher != nil {
			_ = publisher.Close()
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end
		return nil
	}
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return &sender{cmd.Process.Pid, "http://" + address + "/front/whep", end}, nil
}

// freeAddresses returns one for HTTP and one for ICE.
func freeAddresses() (tcp, udp string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", "", errors.Join(err, l.Close())
	}
	return l.Addr().String(), c.LocalAddr().String(), errors.Join(l.Close(), c.Close())
}

// publish sends frames to a WHIP server, as soon as it serves.
func publish(whip string) (*watcher.Watcher, error) {
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	for {
		w, err := tryPublish(ctx, whip)
		if err == nil || !errors.Is(err, syscall.ECONNREFUSED) || ctx.Err() != nil {
			return w, err
		}
		time.Sleep(100 * time.Millisecond) // until it listens
	}
}

func tryPublish(ctx context.Context, whip string) (*watcher.Watcher, error) {
	w, err := watcher.Open(watcher.Config{})
	if err != nil {
		return nil, err
	}
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: codec.MediaType}, "front", "front")
	if err == nil {
		_, err = w.PC.AddTransceiverFromTrack(track,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	}
	if err == nil {
		err = w.WHEPAt(ctx, whip) // WHIP begins as WHEP does
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	select {
	case <-w.Connected:
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("publish to %s: %w", whip, ctx.Err()), w.Close())
	}
	go sendFrames(track) // as long as the process
	return w, awaitReady(ctx, whip)
}

// awaitReady waits until the server has taken the publication.
func awaitReady(ctx context.Context, whip string) error {
	for {
		w, err := watcher.New(1, 1)
		if err != nil {
			return err
		}
		err = w.WHEPAt(ctx, whip[:len(whip)-len("whip")]+"whep")
		if err = errors.Join(err, w.Close()); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}
