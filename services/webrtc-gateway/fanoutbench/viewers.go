package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// profilesOf are the SRTP profiles that viewers can have, the preferred one first.
var profilesOf = map[string][]dtls.SRTPProtectionProfile{
	"chromium": {dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM},
	"gcm":      {dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM},
	"cm":       {dtls.SRTP_AES128_CM_HMAC_SHA1_80},
}

// tally counts what all viewers receive.
type tally struct{ packets, frames, lost atomic.Int64 }

// receive is the far end of all connections, which are spread over some WHEP addresses, with commas between them. It
// writes what it counted ten times a second.
func receive(addresses, viewers, profile, own string) error {
	n, err := strconv.Atoi(viewers)
	if err != nil {
		return err
	}
	profiles, ok := profilesOf[profile]
	if !ok {
		return fmt.Errorf("-profiles: %q is none of chromium, gcm and cm", profile)
	}
	address, err := netip.ParseAddr(own)
	if err != nil {
		return fmt.Errorf("-address: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var all tally
	var first, closed sync.WaitGroup
	var peers []*watcher.Watcher
	endpoints := strings.Split(addresses, ",")
	for i := range n {
		first.Add(1)
		w, err := watcher.Open(watcher.Config{
			Videos: 1, Profiles: profiles, Header: all.counter(first.Done), Address: address,
		})
		if err != nil {
			return err
		}
		if err := w.WHEPAt(ctx, endpoints[i%len(endpoints)]); err != nil {
			return fmt.Errorf("viewer %d: %w", i, err)
		}
		peers = append(peers, w)
	}
	first.Wait()
	fmt.Println("ready")
	go all.report() // as long as the process
	waitForEnd()
	for _, w := range peers { // so that the sender knows at once
		closed.Go(func() { _ = w.Close() })
	}
	closed.Wait()
	return nil
}

// counter returns what counts the packets of a viewer.
func (t *tally) counter(first func()) func(rtp.Header) {
	var last uint16
	begun := false
	return func(h rtp.Header) {
		if !begun {
			begun = true
			first()
		} else if d := h.SequenceNumber - last; d > 1 && d < 1<<15 {
			t.lost.Add(int64(d - 1))
		}
		last = h.SequenceNumber
		t.packets.Add(1)
		if h.Marker {
			t.frames.Add(1)
		}
	}
}

func (t *tally) report() {
	for range time.Tick(100 * time.Millisecond) {
		data, _ := json.Marshal(received{
			Packets: int(t.packets.Load()), Frames: int(t.frames.Load()), Lost: int(t.lost.Load()),
		}) // cannot fail
		_, _ = os.Stdout.Write(append(data, '\n')) // the parent has left
	}
}
