package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakerecorder"
)

// TestRecordings: files and pieces of a recorder come over the bus, also those that are larger than one message of it.
func TestRecordings(t *testing.T) {
	w := newWorld(t, nil)
	file, media := bytes.Repeat([]byte("0123456789"), 300_000), bytes.Repeat([]byte("m"), 3<<20)
	r, err := fakerecorder.Start(w.bus.URL(), "demo", "recorder", map[string]fakerecorder.Recording{"a.mcap": {
		Timeline: &recorderv1.GetTimelineResponse{Recording: &recorderv1.Recording{Name: "a.mcap",
			Duration: durationpb.New(4 * time.Second)}},
		Files: map[string][]byte{"a.mcap": file},
		Streams: map[string]fakerecorder.Stream{"front/video": {Codec: "avc1.42c01f", Initialization: []byte("ftyp"),
			Pieces: []fakerecorder.Piece{{Media: media}, {Offset: 2 * time.Second, Media: []byte("moof")}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	w.eventually("the gateway knows the recorder", func() bool { return strings.Contains(w.get("devices"), `"recorder"`) })
	for path, want := range map[string]string{
		"recordings/file/recorder/a.mcap":                                 string(file),
		"recordings/segment/recorder/a.mcap/front/video?init=1":           "ftyp" + string(media),
		"recordings/segment/recorder/a.mcap/front/video?offset=2.5":       "moof",
		"recordings/segment/recorder/a.mcap/front/video?offset=4":         "",
		"recordings/segment/recorder/b.mcap/front/video":                  `there is no recording "b.mcap"`,
		"recordings/file/recorder/..%2F..%2Fetc%2Fpasswd":                 "there is no such page",
		"recordings/segment/recorder/a.mcap/front/video?offset=-1&init=1": "offset",
	} {
		if got := strings.TrimSpace(w.get(path)); got != want && (len(want) > 100 || !strings.Contains(got, want)) {
			t.Errorf("%s: %d bytes: %.100q", path, len(got), got)
		}
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+"recordings/file/recorder/a.mcap", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Range", "bytes=2999998-")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "89" || answer.StatusCode != 206 {
		t.Errorf("%s %q %v", answer.Status, body, err)
	}
}
