package ingest

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/connect"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/video/camera"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/network"
	"github.com/waldo-robot/waldo/video/preprocess"
)

// Config holds the keys of a network camera in robot.yaml, which are flags and environment variables as well.
type Config struct {
	URL          string         `yaml:"url" help:"address of the camera: rtsp://, rtsps://, rtmp://, rtmps://, http:// or https:// (Motion JPEG), insta360://"`
	Listen       string         `yaml:"listen" help:"host:port at which a publisher (OBS, ffmpeg) sends by RTMP, instead of url; password is the stream key"`
	Certificate  string         `yaml:"certificate" path:"any" help:"listen: file with the certificate (PEM, chain included) for publishers that come by RTMPS; without it they come by RTMP"`
	PrivateKey   string         `yaml:"privateKey" path:"any" help:"listen: file with the private key of the certificate (PEM)"`
	User         string         `yaml:"user" help:"user name, if it is not in the address"`
	Password     address.Secret `yaml:"password" help:"password as it is, without escapes; better in WALDO_PASSWORD or passwordFile"`
	PasswordFile string         `yaml:"passwordFile" path:"any" help:"file that holds the password in its first line"`
	Transport    string         `yaml:"transport" help:"RTSP: tcp, or udp with TCP if nothing arrives"`
	Fingerprint  string         `yaml:"fingerprint" help:"SHA-256 of the camera's certificate in hexadecimal, for a certificate that no authority has signed"`
	TLS          string         `yaml:"tls" help:"modern, or legacy for cameras that know nothing newer than TLS 1.0 or RSA key exchange"`
	ONVIF        string         `yaml:"onvif" help:"address of the camera for ONVIF, by which it is asked for key frames, for example http://10.0.0.7; default: that of ptz, if it is given"`
	PTZ          *PTZ           `yaml:"ptz" help:"for a camera that turns or zooms and is to be moved, for example {onvif: \"http://10.0.0.7\"}"`

	ReconnectDelay       time.Duration `yaml:"reconnectDelay" help:"how long to wait after the first failure to connect, 100ms to 1h"`
	ReconnectBackoff     float64       `yaml:"reconnectBackoff" help:"factor by which the wait grows with every further failure, 1 to 10"`
	MaxReconnectDelay    time.Duration `yaml:"maxReconnectDelay" help:"longest wait between two attempts, up to 24h"`
	MaxReconnectAttempts int           `yaml:"maxReconnectAttempts" help:"failures in a row before giving up; 0 never gives up"`
	Latency              time.Duration `yaml:"latency" help:"time from the lens to the network within the camera, by which capture times are moved back, up to 2s"`

	Speaker bool `yaml:"speaker" help:"have people talk through the camera's loudspeaker (RTSP only): it takes the stream speaker, as an audio device does"`
	Sound   bool `yaml:"sound" help:"have the camera's sound heard: it becomes the stream audio"`

	Bitrate     int `yaml:"bitrate" help:"of pictures that have to be encoded again, bit/s, 50000 to 50000000"`
	JPEGQuality int `yaml:"jpegQuality" help:"quality of JPEG pictures, 1 to 100"`

	FlipHorizontal bool `yaml:"flipHorizontal" help:"mirror the picture left to right; it is then encoded again"`
	FlipVertical   bool `yaml:"flipVertical" help:"turn the picture upside down, mirrored; it is then encoded again"`
	Rotate         int  `yaml:"rotate" help:"turn the picture clockwise: 0, 90, 180 or 270 degrees; it is then encoded again"`

	Preprocess preprocess.Command `yaml:"preprocess" help:"command that changes each picture before it is encoded, for example \"python blur.py\": raw BGR24 of FRAME_WIDTH x FRAME_HEIGHT from its input to its output; pictures pass unchanged while it fails"`
}

// Values of keys.
const (
	tcp, udp       = "tcp", "udp"
	modern, legacy = "modern", "legacy"
)

// Defaults is the configuration of a network camera of which nothing but its address is said.
func Defaults() Config {
	return Config{
		Transport: tcp, TLS: modern, Sound: true, ReconnectDelay: 250 * time.Millisecond, ReconnectBackoff: 2,
		MaxReconnectDelay: 30 * time.Second, Bitrate: 2_000_000, JPEGQuality: codec.DefaultJPEGQuality,
	}
}

const (
	minDelay, maxDelay = 100 * time.Millisecond, time.Hour
	maxMaxDelay        = 24 * time.Hour
	maxBackoff         = 10
	maxLatency         = 2 * time.Second
)

// Validate checks every key. The errors name the key and say what would be right.
func (c *Config) Validate() error {
	if err := c.validateAddress(); err != nil {
		return err
	}
	if err := dial.CheckFingerprint(c.Fingerprint); err != nil {
		return field(err)
	}
	switch {
	case c.Password != "" && c.PasswordFile != "":
		return robot.BadField("passwordFile", "password is given too: use one of them")
	case c.Transport != tcp && c.Transport != udp:
		return robot.BadField("transport", `%q is unknown: use "tcp" or "udp"`, c.Transport)
	case c.TLS != modern && c.TLS != legacy:
		return robot.BadField("tls", `%q is unknown: use "modern" or "legacy"`, c.TLS)
	case c.ReconnectDelay < minDelay || c.ReconnectDelay > maxDelay:
		return robot.BadField("reconnectDelay", "%v is out of range: use %v to %v", c.ReconnectDelay, minDelay, maxDelay)
	case !(c.ReconnectBackoff >= 1 && c.ReconnectBackoff <= maxBackoff):
		return robot.BadField("reconnectBackoff", "%v is out of range: use 1 to %d", c.ReconnectBackoff, maxBackoff)
	case c.MaxReconnectDelay < c.ReconnectDelay || c.MaxReconnectDelay > maxMaxDelay:
		return robot.BadField("maxReconnectDelay", "%v is out of range: use reconnectDelay (%v) to %v",
			c.MaxReconnectDelay, c.ReconnectDelay, maxMaxDelay)
	case c.MaxReconnectAttempts < 0:
		return robot.BadField("maxReconnectAttempts", "%d is negative: use 0 to never give up", c.MaxReconnectAttempts)
	case c.Latency < 0 || c.Latency > maxLatency:
		return robot.BadField("latency", "%v is out of range: use 0s to %v", c.Latency, maxLatency)
	}
	if err := c.validateUse(); err != nil {
		return err
	}
	if err := c.validateSpeaker(); err != nil {
		return err
	}
	if err := c.validatePTZ(); err != nil {
		return err
	}
	if c.ONVIF != "" {
		if _, err := c.onvif("onvif", c.ONVIF); err != nil {
			return err
		}
	}
	return c.camera().Validate()
}

// validateAddress checks what says where pictures come from.
func (c *Config) validateAddress() error {
	if c.Listen == "" {
		if c.Certificate != "" || c.PrivateKey != "" {
			return robot.BadField("certificate", "it is for publishers, and listen is missing: for a camera's certificate "+
				"use fingerprint")
		}
		_, err := c.address()
		return field(err)
	}
	if c.URL != "" {
		return robot.BadField("listen", "url is given too: use one of them")
	}
	key, err := c.secret()
	switch {
	case err != nil:
		return err
	case key == "":
		return robot.BadField("password", "is missing: it is the stream key that publishers have to know")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return robot.BadField("listen", "%q is not host:port: write 127.0.0.1:1935, or :1935 for all interfaces", c.Listen)
	}
	if _, _, err := access.Address(c.Listen, string(key)); err != nil {
		return robot.BadField("password", "other machines can reach %s, and a stream key of %d characters can be guessed: "+
			"use at least %d, or listen on 127.0.0.1", c.Listen, len(key), access.MinToken)
	}
	if c.MaxReconnectAttempts != 0 {
		return robot.BadField("maxReconnectAttempts", "with listen, publishers connect: leave it out")
	}
	_, err = c.tls()
	return err
}

// tls is for publishers that come by RTMPS, nil for RTMP.
func (c *Config) tls() (*tls.Config, error) {
	switch {
	case c.Certificate == "" && c.PrivateKey == "":
		return nil, nil
	case c.PrivateKey == "":
		return nil, robot.BadField("privateKey", "is missing: name the file with the private key of the certificate")
	case c.Certificate == "":
		return nil, robot.BadField("certificate", "is missing: name the file with the certificate of the private key")
	}
	pair, err := tls.LoadX509KeyPair(c.Certificate, c.PrivateKey)
	if err != nil {
		return nil, robot.BadField("certificate", "%v: write certificate and private key as PEM", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if c.TLS == legacy {
		config.MinVersion = tls.VersionTLS10
	}
	return config, nil
}

// validateUse checks that what is said about the connection applies to it. Keys that do not would be taken for a
// protection, or a way, that is not there.
func (c *Config) validateUse() error {
	scheme, secure := "", c.Certificate != ""
	if c.Listen == "" {
		a, err := c.address()
		switch {
		case err != nil:
			return field(err)
		case a.Password != "" && a.User == "" && a.Scheme != "insta360":
			return robot.BadField("user", "is missing, and a password is given: write the user that it belongs to")
		}
		scheme, secure = a.Scheme, a.Secure()
	}
	isRTSP := scheme == "rtsp" || scheme == "rtsps"
	switch {
	case c.Transport == udp && !isRTSP:
		return robot.BadField("transport", "only RTSP can come over UDP: remove it, or write url: rtsp://…")
	case c.Fingerprint != "" && c.Listen != "":
		return robot.BadField("fingerprint", "it is of a camera's certificate, and publishers have none: remove it")
	case c.Fingerprint != "" && !secure && !c.secureONVIF():
		return robot.BadField("fingerprint", "%s:// has no certificate: remove it, or write %s in url", scheme,
			encrypted(scheme))
	case c.TLS == legacy && c.Listen != "" && !secure:
		return robot.BadField("tls", "publishers come without TLS: remove it, or add certificate and privateKey")
	case c.TLS == legacy && !secure && !c.secureONVIF():
		return robot.BadField("tls", "%s:// is not encrypted: remove it, or write %s in url", scheme, encrypted(scheme))
	}
	return nil
}

// encrypted is what to write for a scheme with TLS.
func encrypted(scheme string) string {
	if scheme == "insta360" {
		return "rtsps://, rtmps:// or https://"
	}
	return scheme + "s://"
}

// secureONVIF tells whether the camera is asked by ONVIF with TLS.
func (c *Config) secureONVIF() bool {
	urls := []string{c.ONVIF}
	if c.PTZ != nil {
		urls = append(urls, c.PTZ.ONVIF)
	}
	return slices.ContainsFunc(urls, func(raw string) bool {
		a, err := address.Parse(raw, "", "")
		return err == nil && a.Scheme == "https"
	})
}

// validateSpeaker checks that there can be one.
func (c *Config) validateSpeaker() error {
	if !c.Speaker {
		return nil
	}
	if a, err := c.address(); c.URL == "" || err != nil || a.Scheme != "rtsp" && a.Scheme != "rtsps" {
		return robot.BadField("speaker", "only cameras that are reached by RTSP have a back channel: remove it, "+
			"or write url: rtsp://…")
	}
	return nil
}

// field makes an error of a camera one of a key.
func field(err error) error {
	if e, ok := errors.AsType[*feed.Error](err); ok {
		return robot.BadField(e.Key, "%s", strings.TrimPrefix(e.Text, e.Key+": "))
	}
	return err
}

// camera returns the keys about pictures.
func (c *Config) camera() camera.Config {
	return camera.Config{
		Codecs: network.Codecs(), Bitrate: c.Bitrate, JPEGQuality: c.JPEGQuality,
		Preprocess:  c.Preprocess,
		Orientation: codec.Orientation{FlipHorizontal: c.FlipHorizontal, FlipVertical: c.FlipVertical, Rotate: c.Rotate},
	}
}

// policy returns the keys about reconnecting.
func (c *Config) policy() connect.Policy {
	if c.Listen != "" { // publishers connect, and find us at once
		return connect.Policy{Delay: minDelay, Backoff: 1, MaxDelay: minDelay}
	}
	return connect.Policy{
		Delay: c.ReconnectDelay, Backoff: c.ReconnectBackoff, MaxDelay: c.MaxReconnectDelay,
		MaxAttempts: c.MaxReconnectAttempts,
	}
}

// secret returns the password, from where it is kept.
func (c *Config) secret() (address.Secret, error) {
	if c.PasswordFile == "" {
		return c.Password, nil
	}
	data, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", robot.BadField("passwordFile", "%v: write the password in its first line", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", robot.BadField("passwordFile", "%s is empty: write the password in its first line", c.PasswordFile)
	}
	return address.Secret(line), nil
}
