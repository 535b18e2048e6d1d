package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

// TestRendezvous: the server takes robots, keeps their names, and forgets them when told.
func TestRendezvous(t *testing.T) {
	file := filepath.Join(t.TempDir(), "robots.json")
	ctx, cancel := context.WithCancel(t.Context())
	var logs bytes.Buffer
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"rendezvous", "--listen", "127.0.0.1:0", "--state", file}, console{w, &logs})
		w.Close()
	}()
	url, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err, logs.String())
	}
	url = strings.TrimSpace(url)
	register := func() error {
		key, err := identity.New()
		if err != nil {
			t.Fatal(err)
		}
		s, err := tunnel.Dial(t.Context(), tunnel.Config{URL: url, Robot: "rover", Key: key})
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := register(); err != nil {
		t.Error(err)
	}
	if err := register(); err == nil || !strings.Contains(err.Error(), "waldo rendezvous forget rover") {
		t.Errorf("another robot of the name: %v", err)
	}
	if code, out, text := waldo(t, "rendezvous", "forget", "rover", "--state", file); code != 0 ||
		!strings.Contains(out, "rover") {
		t.Errorf("forget: code %d, %s%s", code, out, text)
	}
	if err := register(); err != nil {
		t.Errorf("another robot of a forgotten name: %v", err)
	}
	if code, _, text := waldo(t, "rendezvous", "forget", "raver", "--state", file); code != 1 ||
		!strings.Contains(text, "raver") {
		t.Errorf("forget an unknown one: code %d, %s", code, text)
	}
	address := strings.Trim(strings.TrimPrefix(url, "http://"), "/")
	code, _, text := waldo(t, "rendezvous", "--listen", address, "--state", file)
	if code != device.ExitAddress || !strings.Contains(text, address) {
		t.Errorf("a second server: code %d, %s", code, text)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("code %d, %s", code, logs.String())
	}
}

func TestBadRendezvous(t *testing.T) {
	list := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(list, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--listen", "0.0.0.0:0"}, "waldo token"},
		{[]string{"--listen", ":0", "--token", "sixteen-or-more!"}, "name:"},
		{[]string{"--name", "https://a"}, "--name"},
		{[]string{"--token", "two words"}, "--token"},
		{[]string{"--keys", list}, "line 1"},
		{[]string{"--public", "example.org"}, "--public"},
		{[]string{"--permit", "10.0.0.0"}, "--permit"},
		{[]string{"--relay-ports", "70000-80000"}, "--relay-ports"},
		{[]string{"--max-robots", "0"}, "--max"},
	} {
		code, _, text := waldo(t, append([]string{"rendezvous"}, tt.args...)...)
		if code != device.ExitConfiguration || !strings.Contains(text, tt.says) {
			t.Errorf("%v: code %d, %s", tt.args, code, text)
		}
	}
}
