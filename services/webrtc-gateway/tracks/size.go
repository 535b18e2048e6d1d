package tracks

// Paths carry 1280 bytes: IPv6 asks for no more, and WireGuard and Tailscale give no more. A longer packet is cut in
// two on such a path, and lost with either. So the payload is what these leave of it:
//
//	40  IPv6 (IPv4: 20)
//	 8  UDP
//	 4  ChannelData, where a TURN server is between (a Send indication, 48, comes before there is a channel: no media)
//	16  tag of SRTP with AES-GCM (AES-CM: 10)
//	12  RTP
//	 2  sequence number of a packet that is sent again (RTX)
//	 8  header extensions of each packet: the transport-wide number
//
// The first packet of a picture has more extensions, up to 52 bytes to a Go peer in the long form, and 20 to a browser.
// So its payload is shorter: by what makes all packets to a browser equally long, so that they leave by one system
// call. Over TCP there is nothing to cut. A packet of sound is what the device makes it: at 256 kbit/s, 640 bytes.
const (
	pathCarries = 1280
	mtu         = 1158 // of a payload
	firstLess   = extensionsToBrowser - extensionsOfAll

	ipv6, ipv4          = 40, 20
	udp                 = 8
	channelData         = 4
	tag                 = 16
	rtpHeader           = 12
	extensionsOfAll     = 8  // the number: 3, 4 before all of them, 1 to make it a multiple of 4
	extensionsToBrowser = 20 // besides, playout delay 4 and capture time 9
	extensionsToPeer    = 52 // besides, identity 17 and run 9; in the long form one more for each
	maxExtensions       = 5
)

// packetOverhead is what a packet has on the network besides its payload, over IPv4 and without a relay.
const packetOverhead = rtpHeader + extensionsOfAll + tag + udp + ipv4

// What does not fit is found when this is compiled: an array has no negative size.
const room = pathCarries - ipv6 - udp - channelData - tag - rtpHeader - repairHeader

var (
	_ [room - extensionsOfAll - mtu]struct{}
	_ [room - extensionsToPeer - (mtu - firstLess)]struct{}
)
