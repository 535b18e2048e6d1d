package robot_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/certs/certstest"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// tlsSections feed TestTLS; an empty says means that there is no error.
var tlsSections = []struct{ text, says string }{
	{"", ""},
	{"tls: auto", ""},
	{"tls: off", ""},
	{"tls: {names: [rover.lan]}", ""},
	{"tls: {auto: true, names: [rover.lan, a-b.example.org]}", ""},
	{"tls: {cert: cert.pem, key: /etc/key.pem}", ""},
	{"tls: {acme: {domain: rover.example.org, email: me@example.org}}", ""},
	{"tls: on", "robot.yaml:3: tls: use auto or off"},
	{"tls: [auto]", "robot.yaml:3: tls: found a list"},
	{"tls: {cert: cert.pem}", "robot.yaml:3: tls.key: is missing"},
	{"tls: {key: key.pem}", "robot.yaml:3: tls.cert: is missing"},
	{"tls: {auto: true, cert: a, key: b}", "one certificate"},
	{"tls: {names: ['https://rover']}", "robot.yaml:3: tls.names: "},
	{"tls: {names: [Rover.lan]}", "lower case"},
	{"tls: {acme: {}}", "robot.yaml:3: tls.acme.domain: is missing"},
	{"tls: {names: []}", "robot.yaml:3: tls: says nothing of a certificate"},
	{"tls: {certificate: a}", `unknown key "certificate"`},
	{"tls: {acme: {email: me@example.org}}", "robot.yaml:3: tls.acme.domain: is missing"},
	{"tls: {acme: {domain: rover}}", "not a public name"},
	{"tls: {acme: {domain: rover.local}}", "use tls: auto"},
	{"tls: {acme: {domain: a.example, email: me}}", "tls.acme.email"},
	{"tls: {acme: {domain: a.example, directory: 'http://a'}}", "tls.acme.directory"},
}

func TestTLS(t *testing.T) {
	for _, tt := range tlsSections {
		r, err := robot.Parse("here/robot.yaml", []byte("robot: rover\ndevices: {front: {kind: camera}}\n"+tt.text))
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.text, err)
		}
		if err == nil && r.TLS.On() != (tt.text != "" && tt.text != "tls: off") {
			t.Errorf("%s: %+v", tt.text, r.TLS)
		}
	}
	r, err := robot.Parse("here/robot.yaml", []byte("robot: rover\ndevices: {front: {kind: camera}}\n"+
		"tls: {cert: cert.pem, key: /etc/key.pem}"))
	if err != nil || r.TLS.Cert != filepath.Join("here", "cert.pem") || r.TLS.Key != "/etc/key.pem" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestTLSFiles: what is wrong with the files is told with the line of the field; the time is a warning.
func TestTLSFiles(t *testing.T) {
	a := certstest.NewAuthority(t)
	now := time.Now()
	cert, key := a.Issue([]string{"rover.lan"})
	_, other := a.Issue([]string{"rover.lan"})
	old, oldKey := a.Issue([]string{"rover.lan"}, certstest.Between(now.Add(-2*time.Hour), now.Add(-time.Hour)))
	for _, tt := range []struct{ cert, key, names, err, warning string }{
		{cert, key, "rover.lan", "", ""},
		{cert, other, "rover.lan", "robot.yaml:3: tls.key: " + other, ""},
		{cert + "x", key, "rover.lan", "robot.yaml:3: tls.cert: there is no file", ""},
		{cert, key, "raver.lan", "robot.yaml:3: tls.cert: " + cert + " is for rover.lan", ""},
		{old, oldKey, "rover.lan", "", "robot.yaml:3: tls.cert: " + old + " expired"},
		{old, oldKey, "raver.lan", "and not for raver.lan", "expired"},
	} {
		r, err := robot.Parse("robot.yaml", []byte("robot: rover\ndevices: {front: {kind: camera}}\n"+
			"tls: {cert: '"+tt.cert+"', key: '"+tt.key+"', names: ["+tt.names+"]}"))
		if err != nil {
			t.Fatal(err)
		}
		warnings, err := r.TLS.CheckFiles(now)
		for got, want := range map[string]string{fmt.Sprint(err): tt.err, fmt.Sprint(warnings): tt.warning} {
			if !strings.Contains(got, want) || want == "" && got != "<nil>" && got != "[]" {
				t.Errorf("%+v: %s", tt, got)
			}
		}
	}
}
