package rtc

import (
	"slices"

	"github.com/pion/dtls/v3"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"golang.org/x/sys/cpu"
)

// The DTLS server chooses how media is encrypted. Browsers choose AES-CM with HMAC-SHA1, which takes four times the CPU
// of AES-GCM, so the gateway is the server wherever the offer lets it choose. ICE has already verified the far end's
// address when the handshake begins, so the server skips the cookie exchange, which would take a round trip.

// secure sets up the handshake of all connections.
func secure(s *webrtc.SettingEngine) error {
	s.SetSRTPProtectionProfiles(profiles(fastGCM)...)
	s.SetDTLSInsecureSkipHelloVerify(true)
	return s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer)
}

// fastGCM is whether the processor has instructions for both parts of AES-GCM. Without, as on a Raspberry Pi 4, AES-GCM
// takes 1.5 times the CPU of AES-CM with HMAC-SHA1.
var fastGCM = cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasAES && cpu.ARM64.HasPMULL

// profiles are the SRTP profiles that are accepted, the preferred one first.
func profiles(fastGCM bool) []dtls.SRTPProtectionProfile {
	all := []dtls.SRTPProtectionProfile{
		dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80,
	}
	if !fastGCM {
		slices.Reverse(all)
	}
	return all
}

const setupKey = "setup"

// spreadSetup gives each section the role of its session, where pion does not look for it (RFC 4145, 4).
func spreadSetup(d *sdp.SessionDescription) {
	role, ok := d.Attribute(setupKey)
	if !ok {
		return
	}
	for _, m := range d.MediaDescriptions {
		if _, own := m.Attribute(setupKey); !own {
			m.WithValueAttribute(setupKey, role)
		}
	}
}

// answerSetup corrects the role in the answer to a far end that insists on being the server: pion plays the other part,
// and says that it does not.
func (o *offer) answerSetup(answer *sdp.MediaDescription) {
	passive := slices.ContainsFunc(o.description.MediaDescriptions, func(m *sdp.MediaDescription) bool {
		role, _ := m.Attribute(setupKey)
		return role == sdp.ConnectionRolePassive.String()
	})
	for i, a := range answer.Attributes {
		if a.Key == setupKey && passive {
			answer.Attributes[i].Value = sdp.ConnectionRoleActive.String()
		}
	}
}
