package robot_test

import (
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// TestRedacted: nothing that a robot.yaml of ours can have is given away, and the rest can still be read as one.
func TestRedacted(t *testing.T) {
	r, err := robot.Parse("robot.yaml", []byte(`# the password is s3cret
robot: rover
devices:
  door: {kind: rtsp-ingest, url: "rtsp://viewer:s3cret@10.0.0.7/stream1?token=s3cret", password: "s3cret"} # s3cret
  yard: {kind: camera, url: "http://cam/snap?usr=viewer&pwd=s3cret&user=s3cret&loginpas=s3cret",
    preprocess: "TOKEN=s3cret blur --password s3cret --apikey=s3cret --size 3", args: [--token, s3cret, --size, "3"]}
  air: {kind: rtsp-ingest, url: "rtmp://a.example/live/s3cret"}
  far: {kind: rtsp-ingest, url: "srt://a.example:9000?streamid=s3cret"}
  motors:
    kind: serial
    wifi: {psk: s3cret, seed: s3cret, auth: {basic: s3cret}, pass: s3cret}
    port: sim
    readKeys: [left, right]
    control: {safe: {left: 0}, key: s3cret}
  own: {kind: thermometer, apiKey: s3cret, private_key: 's3cret', tokens: [s3cret, {of: s3cret}], pin: 1234}
drive: {device: motors, keys: {left: {forward: 200}}}
gateway: {token: s3cret, rendezvous: {url: "https://meet.example.org", token: s3cret, guestToken: s3cret}}
fleet: {hub: "tls://hub.example.org", key: s3cret}
`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); strings.Contains(s, "s3cret") || strings.Contains(s, "1234") || strings.Contains(s, "#") {
		t.Errorf("it gives away secrets:\n%s", s)
	}
	again, err := robot.Parse("again.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, kept := range []string{"10.0.0.7/stream1", "a.example/live/", "forward: 200", "readKeys: [left, right]",
		"--size 3", "cam/snap?"} {
		if !strings.Contains(string(again.Text), kept) {
			t.Errorf("it lacks %q:\n%s", kept, again.Text)
		}
	}
	if len(again.Devices) != 6 || again.Devices[0].Kind != "rtsp-ingest" {
		t.Errorf("%+v", again.Devices)
	}
}
