package recorder_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/recording/write"
	"github.com/waldo-robot/waldo/services/recorder/recorder"
)

// TestRecord: what passes on the bus is in the file, byte for byte and in order, with what explains it.
func TestRecord(t *testing.T) {
	r := start(t, nil)
	r.record(t)
	r.begin(t)
	if err := r.conn.Publish(bus.Address{Robot: "rover", Device: "front"}.In("speaker"),
		&mediav1.AudioFrame{Sequence: 7}); err != nil {
		t.Fatal(err)
	}
	if err := r.conn.Publish(bus.Topic("rover", "chat"),
		&messagev1.Message{Topic: "chat", Body: &messagev1.Message_Text{Text: "hello"}}); err != nil {
		t.Fatal(err)
	}
	mark, err := r.client.AddMark(t.Context(), &recorderv1.AddMarkRequest{Text: "a stone", By: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	r.more(t, 200)
	one := r.end(t)
	if one.GetOpen() || len(one.GetFiles()) != 1 || one.GetName() != one.GetFiles()[0] || one.GetMessageCount() < 300 ||
		!slices.Equal(one.GetDevices(), []string{"front", "recorder"}) || len(one.GetMarks()) != 1 {
		t.Errorf("%v", one)
	}
	all, f := r.read(t, one.GetName())
	if int64(len(all)) != one.GetMessageCount() {
		t.Errorf("%d messages, want %d", len(all), one.GetMessageCount())
	}
	r.checkPictures(t, on(all, "/front/video"))
	for topic, want := range map[string]int{"/front": 1, "/front/control": 10, "/front/in/speaker": 1, "/msg/chat": 1,
		"/recorder/marks": 1, "/recorder/recorder": 2, "/front/video-small": 0} {
		if n := len(on(all, topic)); n < want || want < 2 && topic != "/front" && n != want {
			t.Errorf("%d of %s, want %d", n, topic, want)
		}
	}
	var again recorderv1.Mark
	if err := proto.Unmarshal([]byte(on(all, "/recorder/marks")[0].data), &again); err != nil ||
		!proto.Equal(&again, mark.GetMark()) {
		t.Errorf("the mark %v, want %v", &again, mark.GetMark())
	}
	data, err := f.Attachment("descriptors/front")
	var d devicev1.GetDescriptorsResponse
	if err != nil || proto.Unmarshal(data, &d) != nil ||
		!slices.Contains(d.GetServices(), "waldo.camera.v1.CameraService") {
		t.Errorf("services %v, %v", d.GetServices(), err)
	}
	about, err := f.Metadata(write.AboutRobot)
	if err != nil || about["robot"] != "rover" || about["recording"] != one.GetName() || about["part"] != "1" ||
		about["started_by"] != "test" {
		t.Errorf("%v, %v", about, err)
	}
	if n := r.camera.asked.Load(); n == 0 {
		t.Error("no key frame was asked for at the beginning")
	}
	line, err := r.client.GetTimeline(t.Context(), &recorderv1.GetTimelineRequest{Name: one.GetName()})
	if err != nil || len(line.GetEvents()) == 0 ||
		!slices.ContainsFunc(line.GetStreams(), func(s *recorderv1.RecordedStream) bool {
			return s.GetDevice() == "front" && s.GetStream() == "video" && s.GetMediaType() == "video/H264"
		}) {
		t.Errorf("the timeline: %v, %v", line, err)
	}
}

// checkPictures compares what was recorded with what was sent.
func (r *rig) checkPictures(t *testing.T, got []message) {
	t.Helper()
	r.camera.mu.Lock()
	defer r.camera.mu.Unlock()
	if len(got) < 10 {
		t.Fatalf("%d pictures", len(got))
	}
	first := slices.IndexFunc(r.camera.sent, func(data []byte) bool { return string(data) == got[0].data })
	if first < 0 || first+len(got) > len(r.camera.sent) {
		t.Fatalf("the first is the %d-th of %d, and there are %d", first, len(r.camera.sent), len(got))
	}
	for i, m := range got {
		if m.data != string(r.camera.sent[first+i]) {
			t.Fatalf("picture %d is another one than was sent", i)
		}
		var f mediav1.VideoFrame
		if err := proto.Unmarshal([]byte(m.data), &f); err != nil || !m.captured.Equal(f.GetCaptureTime().AsTime()) ||
			i > 0 && m.logged.Before(got[i-1].logged) {
			t.Fatalf("picture %d: captured %v, logged %v, %v", i, m.captured, m.logged, err)
		}
	}
}

// TestErrors: bad requests say what is wrong with them.
func TestErrors(t *testing.T) {
	r := start(t, nil)
	r.record(t)
	r.await(t, "it is there", idle)
	long := strings.Repeat("x", 300)
	for name, tt := range map[string]struct {
		call func(context.Context) error
		code codes.Code
		says string
	}{
		"nothing is recorded": {func(ctx context.Context) error {
			_, err := r.client.AddMark(ctx, &recorderv1.AddMarkRequest{Text: "x"})
			return err
		}, codes.FailedPrecondition, "start a recording"},
		"a long mark": {func(ctx context.Context) error {
			_, err := r.client.AddMark(ctx, &recorderv1.AddMarkRequest{Text: long})
			return err
		}, codes.InvalidArgument, "text: has 300 bytes"},
		"no mark": {func(ctx context.Context) error {
			_, err := r.client.AddMark(ctx, &recorderv1.AddMarkRequest{})
			return err
		}, codes.InvalidArgument, "text: "},
		"a name that is none": {func(ctx context.Context) error {
			_, err := r.client.StartRecording(ctx, &recorderv1.StartRecordingRequest{By: "a\x1b"})
			return err
		}, codes.InvalidArgument, "by: "},
		"no such recording": {func(ctx context.Context) error {
			_, err := r.client.DeleteRecording(ctx, &recorderv1.DeleteRecordingRequest{Name: "../x"})
			return err
		}, codes.NotFound, "no such recording"},
		"no such timeline": {func(ctx context.Context) error {
			_, err := r.client.GetTimeline(ctx, &recorderv1.GetTimelineRequest{Name: "x"})
			return err
		}, codes.NotFound, "no such recording"},
		"no such file": {func(ctx context.Context) error {
			_, err := r.client.ReadFile(ctx, &recorderv1.ReadFileRequest{File: "../../etc/passwd"})
			return err
		}, codes.NotFound, "no such"},
		"a large page": {func(ctx context.Context) error {
			_, err := r.client.ListRecordings(ctx, &recorderv1.ListRecordingsRequest{PageSize: 1001})
			return err
		}, codes.InvalidArgument, "page_size: "},
		"a made-up page": {func(ctx context.Context) error {
			_, err := r.client.ListRecordings(ctx, &recorderv1.ListRecordingsRequest{PageToken: "x"})
			return err
		}, codes.InvalidArgument, "page_token: "},
		"many bytes": {func(ctx context.Context) error {
			_, err := r.client.ReadFile(ctx, &recorderv1.ReadFileRequest{MaxBytes: 5 << 20})
			return err
		}, codes.InvalidArgument, "max_bytes: "},
	} {
		if err := tt.call(t.Context()); status.Code(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %v with %q", name, err, tt.code, tt.says)
		}
	}
	if one := r.end(t); one != nil {
		t.Errorf("the end of nothing: %v", one)
	}
}

// TestFiles: recordings are listed, read and deleted.
func TestFiles(t *testing.T) {
	r := start(t, nil)
	r.record(t)
	var names []string
	for range 3 {
		r.begin(t)
		names = append(names, r.end(t).GetName())
	}
	open := r.begin(t).GetRecording().GetName()
	var listed []string
	token := ""
	for pages := 0; pages == 0 || token != ""; pages++ {
		q, err := r.client.ListRecordings(t.Context(), &recorderv1.ListRecordingsRequest{PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range q.GetRecordings() {
			listed = append(listed, one.GetName())
			if one.GetOpen() != (one.GetName() == open) {
				t.Errorf("%v", one)
			}
		}
		token = q.GetNextPageToken()
	}
	if want := []string{open, names[2], names[1], names[0]}; !slices.Equal(listed, want) {
		t.Errorf("listed %v, want %v", listed, want)
	}
	content, err := os.ReadFile(filepath.Join(r.folder, names[0]))
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for {
		q, err := r.client.ReadFile(t.Context(),
			&recorderv1.ReadFileRequest{File: names[0], Offset: int64(len(got)), MaxBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if len(q.GetData()) == 0 {
			break
		}
		got = append(got, q.GetData()...)
	}
	if string(got) != string(content) {
		t.Errorf("%d bytes, want %d", len(got), len(content))
	}
	_, err = r.client.ReadFile(t.Context(), &recorderv1.ReadFileRequest{File: names[0], Offset: int64(len(content)) + 1})
	if status.Code(err) != codes.OutOfRange {
		t.Errorf("behind the end: %v", err)
	}
	if _, err := r.client.DeleteRecording(t.Context(),
		&recorderv1.DeleteRecordingRequest{Name: open}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("delete what is being written: %v", err)
	}
	if _, err := r.client.DeleteRecording(t.Context(), &recorderv1.DeleteRecordingRequest{Name: names[0]}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(r.folder, names[0])); !os.IsNotExist(err) {
		t.Errorf("it is not deleted: %v", err)
	}
}

// TestSplit: each file can be read alone, and nothing is lost or twice in between.
func TestSplit(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.Split.Time = time.Second })
	r.record(t)
	r.begin(t)
	r.await(t, "three files", func(s *recorderv1.RecorderState) bool { return len(s.GetRecording().GetFiles()) >= 3 })
	asked := r.camera.asked.Load()
	one := r.end(t)
	if asked < int64(len(one.GetFiles())) {
		t.Errorf("%d key frames were asked for, but there are %d files", asked, len(one.GetFiles()))
	}
	var pictures []message
	for i, name := range one.GetFiles() {
		all, f := r.read(t, name)
		pictures = append(pictures, on(all, "/front/video")...)
		if i == len(one.GetFiles())-1 {
			continue // it may have been begun just now
		}
		if data, err := f.Attachment("descriptors/front"); err != nil || len(data) == 0 {
			t.Errorf("file %d does not describe its device: %v", i, err)
		}
		if i > 0 && all[0].topic != "/front" {
			t.Errorf("file %d begins with %s, not with a state", i, all[0].topic)
		}
		var first mediav1.VideoFrame
		if err := proto.Unmarshal([]byte(on(all, "/front/video")[0].data), &first); err != nil || !first.GetKeyFrame() {
			t.Errorf("file %d does not begin with a key frame: %v", i, err)
		}
	}
	r.checkPictures(t, pictures)
}

// TestAudit: who records is in the audit log, and the sum of each file.
func TestAudit(t *testing.T) {
	r := start(t, nil)
	folder := t.TempDir()
	p, err := device.Start(recorder.Kind(),
		device.Settings{Robot: "rover", Device: "recorder", NATS: r.url, State: folder}, r.config, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.begin(t)
	name := r.end(t).GetName()
	content, err := os.ReadFile(filepath.Join(r.folder, name))
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	log, err := os.ReadFile(audit.Path(folder, "rover", "recorder"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	for _, want := range []string{`"event":"recording_started","who":"test"`, `"event":"recording_stopped"`,
		hex.EncodeToString(sum[:])} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
}
