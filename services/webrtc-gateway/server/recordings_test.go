package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

// fakeRecorder has one file, and pieces of a second.
type fakeRecorder struct {
	recorderv1.RecorderServiceClient // all else is not called
	file                             []byte
	away                             atomic.Int32 // answers that fail
	most                             atomic.Int64 // bytes that one answer had
}

// Recorder implements [Recorders].
func (f *fakeRecorder) Recorder(device string) recorderv1.RecorderServiceClient {
	if device != "rear" {
		return otherKind{}
	}
	return f
}

// otherKind is a device of another kind: nobody answers there, as if it were not running.
type otherKind struct {
	recorderv1.RecorderServiceClient
}

func (otherKind) ReadFile(
	context.Context, *recorderv1.ReadFileRequest, ...grpc.CallOption,
) (*recorderv1.ReadFileResponse, error) {
	return nil, status.Error(codes.Unavailable, "device demo/front is not running")
}

func (f *fakeRecorder) ReadFile(
	_ context.Context, r *recorderv1.ReadFileRequest, _ ...grpc.CallOption,
) (*recorderv1.ReadFileResponse, error) {
	if r.GetFile() != "drive.mcap" {
		return nil, status.Errorf(codes.NotFound, "there is no file %q", r.GetFile())
	}
	if r.GetOffset() > 0 && f.away.Add(-1) >= 0 {
		return nil, status.Error(codes.Unavailable, "the recorder has crashed")
	}
	end := min(r.GetOffset()+int64(r.GetMaxBytes()), int64(len(f.file)))
	f.most.Store(max(f.most.Load(), end-r.GetOffset()))
	return &recorderv1.ReadFileResponse{Data: f.file[r.GetOffset():end], SizeBytes: int64(len(f.file))}, nil
}

func (f *fakeRecorder) GetSegment(
	_ context.Context, r *recorderv1.GetSegmentRequest, _ ...grpc.CallOption,
) (*recorderv1.GetSegmentResponse, error) {
	if r.GetName() != "drive.mcap" || r.GetDevice() != "front" || r.GetStream() != "video" {
		return nil, status.Errorf(codes.NotFound, "%s has no %s/%s", r.GetName(), r.GetDevice(), r.GetStream())
	}
	begin := r.GetOffset().AsDuration().Truncate(time.Second)
	answer := &recorderv1.GetSegmentResponse{Codec: "avc1.42c01f", Offset: durationpb.New(begin)}
	if begin < 3*time.Second {
		answer.Media = []byte("moof" + begin.String())
	}
	if begin < 2*time.Second {
		answer.Next = durationpb.New(begin + time.Second)
	}
	if r.GetInitialization() {
		answer.Initialization = []byte("ftyp")
	}
	return answer, nil
}

// newRecorderSite serves a file of a few pieces.
func newRecorderSite(t *testing.T) (*site, *fakeRecorder) {
	t.Helper()
	f := &fakeRecorder{file: bytes.Repeat([]byte("0123456789abcdef"), filePiece/16*2+1000)}
	return newSite(t, Config{Recorders: f}, 0), f
}

// TestRecordingFile: files come whole or in ranges, read in pieces of a bounded size.
func TestRecordingFile(t *testing.T) {
	s, f := newRecorderSite(t)
	const path = "/recordings/file/rear/drive.mcap"
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		code               int
		body               string // or what is in it
	}{
		{"whole", "GET", path, nil, 200, string(f.file)},
		{"range", "GET", path, []string{"Range: bytes=10-19"}, 206, "abcdef0123"},
		{"range over the end of a piece", "GET", path, []string{"Range: bytes=1048570-1048581"}, 206, "abcdef012345"},
		{"last bytes", "GET", path, []string{"Range: bytes=-4"}, 206, "cdef"},
		{"beyond the end", "GET", path, []string{"Range: bytes=99999999-"}, 416, "range"},
		{"only its size", "HEAD", path, nil, 200, ""},
		{"no such file", "GET", "/recordings/file/rear/none.mcap", nil, 404, `there is no file "none.mcap"`},
		{"no such device", "GET", "/recordings/file/left/drive.mcap", nil, 404, "there are: front, rear"},
		{"no recorder", "GET", "/recordings/file/front/drive.mcap", nil, 404, "device front is no recorder"},
		{"no recorder's piece", "GET", "/recordings/segment/front/drive.mcap/front/video", nil, 404,
			"device front is no recorder"},
		{"a folder", "GET", "/recordings/file/rear/a/drive.mcap", nil, 404, "no such page"},
		{"another method", "POST", path, nil, 405, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			answer, body := s.do(request{method: tt.method, path: tt.path, headers: tt.headers})
			if answer.StatusCode != tt.code || tt.code < 300 && body != tt.body || !strings.Contains(body, tt.body) {
				t.Errorf("%s, %d bytes: %.100q", answer.Status, len(body), body)
			}
			if tt.method == "HEAD" && (answer.ContentLength != int64(len(f.file)) ||
				answer.Header.Get("Accept-Ranges") != "bytes" ||
				answer.Header.Get("Content-Disposition") != "attachment; filename=drive.mcap") {
				t.Errorf("%d %v", answer.ContentLength, answer.Header)
			}
		})
	}
	if f.most.Load() > filePiece {
		t.Errorf("an answer had %d bytes", f.most.Load())
	}
}

// TestRecordingFileOutlivesCrash: a download goes on when the recorder is back, and one that cannot go on does not end
// as if it were complete.
func TestRecordingFileOutlivesCrash(t *testing.T) {
	s, f := newRecorderSite(t)
	f.away.Store(2)
	if _, body := s.do(request{path: "/recordings/file/rear/drive.mcap"}); body != string(f.file) {
		t.Errorf("%d of %d bytes", len(body), len(f.file))
	}
	r := &remoteFile{ctx: t.Context(), from: f, name: "drive.mcap"}
	if err := r.fill(); err != nil {
		t.Fatal(err)
	}
	f.file = f.file[:filePiece] // somebody has cut it
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that was cut: %v", err)
	}
}

// TestRemoteFile: it is a reader like any other.
func TestRemoteFile(t *testing.T) {
	f := &fakeRecorder{file: bytes.Repeat([]byte("xyz"), 1000)}
	r := &remoteFile{ctx: t.Context(), from: f, name: "drive.mcap"}
	if err := r.fill(); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(r, f.file); err != nil {
		t.Error(err)
	}
}

// TestRecordingPiece: a piece comes with where it is.
func TestRecordingPiece(t *testing.T) {
	s, _ := newRecorderSite(t)
	const path = "/recordings/segment/rear/drive.mcap/front/video"
	for _, tt := range []struct {
		name, path         string
		code               int
		body, offset, next string
	}{
		{"from the beginning", path + "?init=1", 200, "ftypmoof0s", "0.000000000", "1.000000000"},
		{"in the middle", path + "?offset=1.5", 200, "moof1s", "1.000000000", "2.000000000"},
		{"the last", path + "?offset=2.999999999", 200, "moof2s", "2.000000000", ""},
		{"after the end", path + "?offset=3", 204, "", "3.000000000", ""},
		{"no number", path + "?offset=soon", 400, "offset: \"soon\" is not a place", "", ""},
		{"negative", path + "?offset=-1", 400, "offset", "", ""},
		{"not finite", path + "?offset=NaN", 400, "offset", "", ""},
		{"no such stream", "/recordings/segment/rear/drive.mcap/front/audio", 404, "has no front/audio", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			answer, body := s.do(request{path: tt.path})
			if answer.StatusCode != tt.code || tt.code < 300 && body != tt.body || !strings.Contains(body, tt.body) {
				t.Errorf("%s %q", answer.Status, body)
			}
			h := answer.Header
			if h.Get(offsetHeader) != tt.offset || h.Get(nextHeader) != tt.next ||
				tt.code < 300 && h.Get(codecHeader) != "avc1.42c01f" {
				t.Errorf("%v", h)
			}
		})
	}
}

// TestRecordingsNeedRoles: recordings are for viewers, and not for a page elsewhere or a rendezvous server.
func TestRecordingsNeedRoles(t *testing.T) {
	g := newGuarded(t, tokens.Request{Name: "anna", Role: roles.Viewer},
		tokens.Request{Name: "cam", Role: roles.Service, Device: "front"})
	for _, path := range []string{"/recordings/file/rear/drive.mcap", "/recordings/segment/rear/drive.mcap/front/video"} {
		for who, want := range map[string]int{"anna": 501, "cam": 403, "": 401} { // this site has no recorders
			answer, body := g.do(request{path: path, headers: []string{bearer(g.tokens[who])}})
			if answer.StatusCode != want {
				t.Errorf("%q %s: %s %s", who, path, answer.Status, body)
			}
		}
		r, err := http.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.server.guard.route(r).audience; got != holders {
			t.Errorf("%s is for %v", path, got)
		}
		foreign := []string{bearer(g.tokens["anna"]), "Sec-Fetch-Site: cross-site"}
		if answer, _ := g.do(request{path: path, headers: foreign}); answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s from a page elsewhere: %s", path, answer.Status)
		}
	}
}

// TestRecordingsPage: it has an address of its own, for which a browser can sign in, and loads what is beside it.
func TestRecordingsPage(t *testing.T) {
	s := newSite(t, Config{Token: "secret", Page: fstest.MapFS{"index.html": {Data: []byte("<p>robot")},
		"recordings.html": {Data: []byte("<p>recordings")}, "fleet.html": {Data: []byte("<p>robots")}}}, 0)
	html := "Accept: text/html"
	if answer, _ := s.do(request{path: "/recordings", headers: []string{html}}); answer.StatusCode != 401 {
		t.Errorf("without a token: %s", answer.Status)
	}
	answer, _ := s.do(request{path: "/recordings?token=secret", headers: []string{html}})
	if location := answer.Header.Get("Location"); answer.StatusCode != 303 || location != "./recordings" {
		t.Errorf("%s, to %s", answer.Status, location)
	}
	answer, body := s.do(request{path: "/recordings", headers: []string{html, "Cookie: " + answer.Cookies()[0].String()}})
	if answer.StatusCode != 200 || body != "<p>recordings" ||
		!strings.Contains(answer.Header.Get("Content-Security-Policy"), "media-src 'self' blob:") {
		t.Errorf("%s %s %v", answer.Status, body, answer.Header)
	}
}
