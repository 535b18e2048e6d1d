package peer

import (
	"log/slog"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/pionlog"
	"github.com/waldo-robot/waldo/pkg/pionnet"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/rtp/origin"
)

const (
	// maxChannelMessage is the largest message of a data channel, in bytes, as the gateway has it.
	maxChannelMessage = 64 << 10
	// A path on which nothing has come for this long counts as interrupted, and is given up after failedAfter more.
	// keepalive is how often it is tried.
	disconnectedAfter = 1500 * time.Millisecond
	failedAfter       = 15 * time.Second
	keepalive         = 400 * time.Millisecond
	// relayAfter is how long a direct path is waited for when one by a relay is found. Pion's 2 s are longer than the
	// search for a new path may take.
	relayAfter = 800 * time.Millisecond
	// nackEvery is how often missing packets are asked for again: a frame is not held back for long.
	nackEvery = 10 * time.Millisecond
	// reportEvery is how often the robot is told when its packets arrived, by which it adapts what it sends to the path.
	reportEvery = 50 * time.Millisecond
)

// newAPI sets up what all connections of a robot share.
func newAPI(log *slog.Logger, relayOnly bool) (*webrtc.API, error) {
	var media webrtc.MediaEngine
	if err := registerCodecs(&media); err != nil {
		return nil, err
	}
	var registry interceptor.Registry
	asks, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(nackEvery), nack.GeneratorMaxNacksPerPacket(3))
	if err != nil {
		return nil, err
	}
	answers, err := nack.NewResponderInterceptor()
	if err != nil {
		return nil, err
	}
	sent, err := report.NewSenderInterceptor()
	if err != nil {
		return nil, err
	}
	received, err := report.NewReceiverInterceptor()
	if err != nil {
		return nil, err
	}
	arrivals, err := twcc.NewSenderInterceptor(twcc.SendInterval(reportEvery))
	if err != nil {
		return nil, err
	}
	for _, f := range []interceptor.Factory{asks, answers, sent, received, arrivals} {
		registry.Add(f)
	}
	s := webrtc.SettingEngine{LoggerFactory: pionlog.New(log)}
	configureICE(&s)
	if relayOnly {
		s.DisableActiveTCP(true) // pion would open TCP connections to the robot in spite of the policy
		s.SetRelayAcceptanceMinWait(0)
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(&media), webrtc.WithInterceptorRegistry(&registry),
		webrtc.WithSettingEngine(s)), nil
}

func configureICE(s *webrtc.SettingEngine) {
	s.SetNet(pionnet.New())
	s.SetNetworkTypes([]webrtc.NetworkType{
		webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
	})
	s.SetIncludeLoopbackCandidate(true) // for robots on this machine, which may be without a network
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetRelayAcceptanceMinWait(relayAfter)
	s.SetICETimeouts(disconnectedAfter, failedAfter, keepalive)
	s.SetSCTPMaxMessageSize(maxChannelMessage)
	s.SetDTLSRetransmissionInterval(100 * time.Millisecond)
}

// registerCodecs registers what we receive and send, with the profiles by which the gateway chooses. A program may
// decode any of them, or pass it on, so all are offered.
func registerCodecs(m *webrtc.MediaEngine) error {
	if err := codecs.RegisterOffers(m); err != nil {
		return err
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		m.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC}, kind)
		for _, uri := range []string{origin.FrameURI, origin.EpochURI, sdp.TransportCCURI} {
			err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind,
				webrtc.RTPTransceiverDirectionRecvonly)
			if err != nil {
				return err
			}
		}
	}
	return nil
}
