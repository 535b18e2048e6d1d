package fakecam

import "strings"

// backChannel is the tag of ONVIF that asks for the tracks that the camera receives.
const backChannel = "www.onvif.org/ver20/backchannel"

func backChannelRequired(req *Request) bool {
	return strings.Contains(req.Header.Get("Require"), backChannel)
}

// withoutBackChannel cuts the media that the camera receives out of a session description.
func withoutBackChannel(sdp string) string {
	parts := strings.Split(sdp, "\r\nm=")
	kept := parts[:1]
	for _, m := range parts[1:] {
		if !strings.Contains(m, "a=sendonly") {
			kept = append(kept, m)
		}
	}
	return strings.TrimSuffix(strings.Join(kept, "\r\nm="), "\r\n") + "\r\n"
}
