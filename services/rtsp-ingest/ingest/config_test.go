package ingest

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// secretWord is in every configuration of the tests that has a password, and in none of their errors.
const secretWord = "hunter2"

// valid is a configuration that nothing is wrong with.
func valid() Config {
	c := Defaults()
	c.URL, c.User, c.Password = "rtsp://10.0.0.7/stream1", "bob", secretWord
	return c
}

// file writes a password file.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestValidate: what is wrong is said of its key, with what would be right.
func TestValidate(t *testing.T) {
	listen := func(c *Config) { c.URL, c.User, c.Listen = "", "", "127.0.0.1:1935" }
	const account = "rtsp://bob:" + secretWord + "@10.0.0.7/x"
	digits := strings.Repeat("AB:", 31) + "AB"
	for name, tt := range map[string]struct {
		change func(*Config)
		key    string // of the error; empty for none
		says   string
	}{
		"as it is":          {func(*Config) {}, "", ""},
		"account in url":    {func(c *Config) { c.URL, c.User, c.Password = account, "", "" }, "", ""},
		"insta360":          {func(c *Config) { c.URL = "insta360://192.168.42.1" }, "", ""},
		"publisher":         {listen, "", ""},
		"by RTMPS":          {func(c *Config) { listen(c); c.Certificate, c.PrivateKey = certificate(t) }, "", ""},
		"fingerprint given": {func(c *Config) { c.URL, c.Fingerprint = "rtsps://10.0.0.7/x", digits }, "", ""},
		"legacy TLS":        {func(c *Config) { c.URL, c.TLS = "https://10.0.0.7/x", "legacy" }, "", ""},
		"UDP":               {func(c *Config) { c.Transport = "udp" }, "", ""},
		"UDP with RTSPS":    {func(c *Config) { c.URL, c.Transport = "rtsps://10.0.0.7/x", "udp" }, "", ""},
		"ONVIF with TLS": {func(c *Config) { c.ONVIF, c.Fingerprint, c.TLS = "https://10.0.0.7", digits, "legacy" }, "",
			""},
		"PTZ with TLS": {func(c *Config) { c.PTZ, c.Fingerprint = &PTZ{ONVIF: "https://10.0.0.7"}, digits },
			"", ""},
		"legacy RTMPS": {func(c *Config) { listen(c); c.Certificate, c.PrivateKey = certificate(t); c.TLS = "legacy" },
			"", ""},
		"user alone":     {func(c *Config) { c.Password = "" }, "", ""},
		"longest waits":  {func(c *Config) { c.ReconnectDelay, c.MaxReconnectDelay = time.Hour, 24*time.Hour }, "", ""},
		"never gives up": {func(c *Config) { c.MaxReconnectAttempts = 0 }, "", ""},
		"moves":          {func(c *Config) { c.PTZ = &PTZ{} }, "", ""},
		"talks":          {func(c *Config) { c.Speaker = true }, "", ""},

		"no url":          {func(c *Config) { c.URL = "" }, "url", "write url: rtsp://"},
		"no scheme":       {func(c *Config) { c.URL = "10.0.0.7/stream1" }, "url", "begin with rtsp://"},
		"unknown scheme":  {func(c *Config) { c.URL = "srt://10.0.0.7" }, "url", "use rtsp, rtsps"},
		"no host":         {func(c *Config) { c.URL = "rtsp:///stream1" }, "url", "write rtsp://"},
		"two users":       {func(c *Config) { c.URL = "rtsp://ann@10.0.0.7/x" }, "user", "leave one of them out"},
		"two passwords":   {func(c *Config) { c.URL, c.User = account, "" }, "password", "leave one"},
		"control in user": {func(c *Config) { c.User = "bob\n" }, "password", "remove it"},

		"url and listen":      {func(c *Config) { c.Listen = ":1935" }, "listen", "use one of them"},
		"listen without port": {func(c *Config) { listen(c); c.Listen = "127.0.0.1" }, "listen", ":1935"},
		"no stream key":       {func(c *Config) { listen(c); c.Password = "" }, "password", "publishers have to know"},
		"short stream key":    {func(c *Config) { listen(c); c.Listen = ":1935" }, "password", "use at least 16"},
		"listen gives up": {func(c *Config) { listen(c); c.MaxReconnectAttempts = 3 }, "maxReconnectAttempts",
			"leave it"},
		"no private key": {func(c *Config) { listen(c); c.Certificate = "c.pem" }, "privateKey", "is missing"},
		"no certificate": {func(c *Config) { listen(c); c.PrivateKey = "k.pem" }, "certificate", "is missing"},
		"certificate of none": {func(c *Config) { c.Certificate, c.PrivateKey = "c.pem", "k.pem" }, "certificate",
			"fingerprint"},
		"no such certificate": {func(c *Config) { listen(c); c.Certificate, c.PrivateKey = "/nowhere", "/nowhere" },
			"certificate", "write certificate and private key as PEM"},
		"certificate of text": {func(c *Config) { listen(c); c.Certificate = file(t, "x"); c.PrivateKey = c.Certificate },
			"certificate", "write certificate and private key as PEM"},

		"talks to a publisher": {func(c *Config) { listen(c); c.Speaker = true }, "speaker", "write url: rtsp://"},
		"talks by HTTP": {func(c *Config) { c.URL, c.Speaker = "http://10.0.0.7/video", true }, "speaker",
			"only cameras that are reached by RTSP"},

		"password twice":   {func(c *Config) { c.PasswordFile = file(t, secretWord) }, "passwordFile", "use one of them"},
		"no password file": {func(c *Config) { c.Password, c.PasswordFile = "", "/nowhere" }, "passwordFile", "first line"},
		"empty password": {func(c *Config) { c.Password, c.PasswordFile = "", file(t, "\n") }, "passwordFile",
			"is empty"},
		"transport":          {func(c *Config) { c.Transport = "sctp" }, "transport", `use "tcp" or "udp"`},
		"tls":                {func(c *Config) { c.TLS = "1.0" }, "tls", `use "modern" or "legacy"`},
		"fingerprint of md5": {func(c *Config) { c.Fingerprint = digits[:47] }, "fingerprint", "64 hexadecimal digits"},

		"UDP by HTTP":         {func(c *Config) { c.URL, c.Transport = "http://10.0.0.7", "udp" }, "transport", "only RTSP"},
		"UDP of publishers":   {func(c *Config) { listen(c); c.Transport = "udp" }, "transport", "remove it"},
		"fingerprint by RTSP": {func(c *Config) { c.Fingerprint = digits }, "fingerprint", "write rtsps:// in url"},
		"fingerprint by Wi-Fi": {func(c *Config) { c.URL, c.Fingerprint = "insta360://192.168.42.1", digits },
			"fingerprint", "insta360:// has no certificate: remove it"},
		"fingerprint of publishers": {func(c *Config) { listen(c); c.Fingerprint = digits }, "fingerprint", "remove it"},
		"legacy by RTMP": {func(c *Config) { c.URL, c.TLS = "rtmp://10.0.0.7/a", "legacy" }, "tls",
			"write rtmps://"},
		"legacy of publishers": {func(c *Config) { listen(c); c.TLS = "legacy" }, "tls", "add certificate and privateKey"},
		"password alone":       {func(c *Config) { c.User = "" }, "user", "is missing"},
		"password file alone": {func(c *Config) { c.User, c.Password, c.PasswordFile = "", "", file(t, secretWord) },
			"user", "write the user"},
		"password alone in url": {func(c *Config) { c.URL, c.User, c.Password = "http://:"+secretWord+"@10.0.0.7", "", "" },
			"user", "is missing"},

		"delay too short":   {func(c *Config) { c.ReconnectDelay = time.Millisecond }, "reconnectDelay", "use 100ms to 1h"},
		"delay too long":    {func(c *Config) { c.ReconnectDelay = 2 * time.Hour }, "reconnectDelay", "use 100ms to 1h"},
		"backoff below 1":   {func(c *Config) { c.ReconnectBackoff = 0.5 }, "reconnectBackoff", "use 1 to 10"},
		"backoff no number": {func(c *Config) { c.ReconnectBackoff = math.NaN() }, "reconnectBackoff", "use 1 to 10"},
		"backoff too large": {func(c *Config) { c.ReconnectBackoff = 11 }, "reconnectBackoff", "use 1 to 10"},
		"longest below delay": {func(c *Config) { c.MaxReconnectDelay = 200 * time.Millisecond }, "maxReconnectDelay",
			"use reconnectDelay (250ms)"},
		"longest too long": {func(c *Config) { c.MaxReconnectDelay = 25 * time.Hour }, "maxReconnectDelay", "to 24h"},
		"attempts":         {func(c *Config) { c.MaxReconnectAttempts = -1 }, "maxReconnectAttempts", "use 0 to never"},
		"latency below 0":  {func(c *Config) { c.Latency = -1 }, "latency", "use 0s to 2s"},
		"latency too long": {func(c *Config) { c.Latency = 3 * time.Second }, "latency", "use 0s to 2s"},

		"bitrate": {func(c *Config) { c.Bitrate = 2000 }, "bitrate", "use 50000 to 50000000"},
		"quality": {func(c *Config) { c.JPEGQuality = 101 }, "jpegQuality", "use 1 to 100"},
		"rotate":  {func(c *Config) { c.Rotate = -90 }, "rotate", "use 0, 90, 180 or 270"},

		"moves a publisher": {func(c *Config) { listen(c); c.PTZ = &PTZ{} }, "ptz.onvif", "write onvif: http://"},
		"onvif by rtsp":     {func(c *Config) { c.PTZ = &PTZ{ONVIF: "rtsp://10.0.0.7"} }, "ptz.onvif", "use http://"},
		"onvif no host":     {func(c *Config) { c.PTZ = &PTZ{ONVIF: "http://"} }, "ptz.onvif", "host is missing"},
		"account of onvif": {func(c *Config) { c.PTZ = &PTZ{ONVIF: "http://bob:hunter2@10.0.0.7"} }, "ptz.onvif",
			"leave user and password out"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			tt.change(&c)
			err := c.Validate()
			if tt.key == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			bad, ok := errors.AsType[*robot.FieldError](err)
			if !ok || bad.Key != tt.key || !strings.Contains(bad.Problem, tt.says) {
				t.Fatalf("got %v, want an error of %s with %q", err, tt.key, tt.says)
			}
			if text := err.Error(); strings.Contains(text, secretWord) || strings.HasPrefix(bad.Problem, tt.key+":") {
				t.Errorf("%q repeats its key, or a password", text)
			}
		})
	}
}
