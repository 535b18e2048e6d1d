package gateway_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
)

// recorded are offers of programs that publish, and what they are answered: their payload types in a line, or an error.
var recorded = []struct {
	file   string
	status int
	want   string
}{
	{"obs-31.sdp", 201, "audio 111 opus/48000/2, video 96 H264/90000"},
	{"obs-32.1-simulcast.sdp", 201, "audio 111 opus/48000/2, video 96 H264/90000"},
	{"obs-31-hevc.sdp", 406, "video that is offered is H265/90000"},
	{"obs-31-av1.sdp", 406, "video that is offered is AV1/90000"},
	{"ffmpeg-8.1.sdp", 201, "audio 111 opus/48000/2, video 106 H264/90000"},
	{"gstreamer-1.22-h264.sdp", 201, "video 102 H264/90000, audio 97 OPUS/48000/2"},
	{"gstreamer-1.22-vp8.sdp", 201, "video 101 VP8/90000, audio 97 OPUS/48000/2"},
	{"aiortc-1.sdp", 201, "video 101 H264/90000"},
}

func TestRecordedOffers(t *testing.T) {
	w := newWorld(t, nil)
	slot := w.guest()
	for _, tt := range recorded {
		offer, err := os.ReadFile("testdata/offers/" + tt.file)
		if err != nil {
			t.Fatal(err)
		}
		response, answer := w.request(http.MethodPost, "whip/guest?take", "application/sdp", string(offer))
		if response.StatusCode != tt.status || tt.status != http.StatusCreated && !strings.Contains(answer, tt.want) {
			t.Errorf("%s: %s: %s", tt.file, response.Status, answer)
		}
		if response.StatusCode != http.StatusCreated {
			continue
		}
		var d sdp.SessionDescription
		if err := d.UnmarshalString(answer); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range d.MediaDescriptions {
			if _, takes := m.Attribute(sdp.AttrKeyRecvOnly); !takes || m.MediaName.Port.Value == 0 {
				continue
			}
			rtpmap, _ := m.Attribute("rtpmap")
			got = append(got, m.MediaName.Media+" "+rtpmap)
			for _, never := range []string{"simulcast", "rid", "extmap"} {
				if _, ok := m.Attribute(never); ok {
					t.Errorf("%s: the answer has a=%s", tt.file, never)
				}
			}
		}
		if s := strings.Join(got, ", "); !strings.EqualFold(s, tt.want) {
			t.Errorf("%s: the answer takes %s, want %s:\n%s", tt.file, s, tt.want, answer)
		}
		if _, first, _ := strings.Cut(answer, "a=candidate:"); !strings.Contains(strings.SplitN(first, "\r\n", 2)[0],
			" 127.0.0.1 ") {
			t.Errorf("%s: the first candidate is %.80q", tt.file, first)
		}
		if who, _ := slot.Publisher(); who == nil {
			t.Errorf("%s: nobody has the slot", tt.file)
		}
	}
}
