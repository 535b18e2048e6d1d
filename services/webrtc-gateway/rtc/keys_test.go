package rtc

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pion/dtls/v3"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

const (
	aes128CM  = dtls.SRTP_AES128_CM_HMAC_SHA1_80
	aes128GCM = dtls.SRTP_AEAD_AES_128_GCM
	aes256GCM = dtls.SRTP_AEAD_AES_256_GCM
)

func TestProfiles(t *testing.T) {
	for _, tt := range []struct {
		fast bool
		want []dtls.SRTPProtectionProfile
	}{
		{true, []dtls.SRTPProtectionProfile{aes256GCM, aes128GCM, aes128CM}},
		{false, []dtls.SRTPProtectionProfile{aes128CM, aes128GCM, aes256GCM}},
	} {
		if got := profiles(tt.fast); !slices.Equal(got, tt.want) {
			t.Errorf("with fast AES-GCM %v: %v, want %v", tt.fast, got, tt.want)
		}
	}
}

// sizes remembers the sizes of the packets of RTP that arrive, with what encryption adds.
type sizes struct {
	mu    sync.Mutex
	bySeq map[uint16]int
}

func (s *sizes) note(datagram []byte) {
	if len(datagram) < 12 || datagram[0]>>6 != 2 || datagram[1]&0x7f >= 64 && datagram[1]&0x7f < 96 {
		return // not RTP: RFC 7983, and RFC 5761 for RTCP
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bySeq[binary.BigEndian.Uint16(datagram[2:])] = len(datagram)
}

func (s *sizes) of(seq uint16) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bySeq[seq]
}

// TestKeys: the gateway chooses how media is encrypted if the far end leaves it the choice, connects to far ends that
// have one way only, and takes the part that the far end leaves to it.
func TestKeys(t *testing.T) {
	const tagCM, tagGCM = 10, 16
	chosen := tagCM
	if fastGCM {
		chosen = tagGCM
	}
	asBrowser := []dtls.SRTPProtectionProfile{aes128CM, aes256GCM, aes128GCM}
	leave := func(offer string) string { return offer }
	become := func(role string) func(string) string {
		return func(offer string) string { return strings.ReplaceAll(offer, "a=setup:actpass", "a=setup:"+role) }
	}
	session := func(role string) func(string) string {
		return func(offer string) string {
			offer = strings.ReplaceAll(offer, "a=setup:actpass\r\n", "")
			return strings.Replace(offer, "m=", "a=setup:"+role+"\r\nm=", 1)
		}
	}
	for _, tt := range []struct {
		name     string
		profiles []dtls.SRTPProtectionProfile
		offer    func(string) string
		setup    string
		tag      int
	}{
		{"browser", asBrowser, leave, "passive", chosen},
		{"only AES-CM", []dtls.SRTPProtectionProfile{aes128CM}, leave, "passive", tagCM},
		{"only AES-GCM with 128 bits", []dtls.SRTPProtectionProfile{aes128GCM}, leave, "passive", tagGCM},
		{"client", asBrowser, become("active"), "passive", chosen},
		{"server", asBrowser, become("passive"), "active", tagCM},
		{"server for the whole session", asBrowser, session("passive"), "active", tagCM},
		{"either for the whole session", asBrowser, session("actpass"), "passive", chosen},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, _, _ := newStudio(t)
			arrived := sizes{bySeq: make(map[uint16]int)}
			far, answer := watchLeft(t, e,
				watcher.Config{Videos: 1, Buffer: 100, Profiles: tt.profiles, Datagram: arrived.note}, tt.offer)
			if strings.Count(answer, "a=setup:") != strings.Count(answer, "a=setup:"+tt.setup) {
				t.Errorf("the answer is not a=setup:%s:\n%s", tt.setup, answer)
			}
			ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
			defer cancel()
			p, err := far.Packet(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if got := arrived.of(p.SequenceNumber) - p.MarshalSize(); got != tt.tag {
				t.Errorf("encryption adds %d bytes to a packet, want %d", got, tt.tag)
			}
		})
	}
}
