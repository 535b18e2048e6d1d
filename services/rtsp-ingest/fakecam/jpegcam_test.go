package fakecam_test

import (
	"bufio"
	"bytes"
	"image/jpeg"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media/mjpeg"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// fetch opens /video and returns its beginning, as it comes, until something is in it.
func fetch(t *testing.T, c *fakecam.JPEGCamera, until func(string) bool) string {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(c.URL(), "http://"), "/video"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(nc, "GET /video HTTP/1.1\r\nHost: camera\r\n\r\n")
	var got []byte
	r := bufio.NewReader(nc)
	for buf := make([]byte, 4096); !until(string(got)); {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, got[:min(300, len(got))])
		}
		got = append(got, buf[:n]...)
	}
	return string(got)
}

// jpegChecks say how each oddity shows in what /video sends.
var jpegChecks = map[string]func(string) bool{
	"http-dashes-in-header": has("boundary=--frame\r\n", "\r\n\r\n--frame\r\n"),
	"http-dashes-missing":   has("boundary=frame\r\n", "\r\n\r\nframe\r\n"),
	"http-boundary-signs":   has("boundary=a:b/c\r\n", "\r\n--a:b/c\r\n"),
	"http-boundary-quoted":  has(`boundary="frame"`),
	"http-no-boundary":      func(s string) bool { return headed(s) && !strings.Contains(s, "boundary=") },
	"http-no-content-type":  func(s string) bool { return headed(s) && !strings.Contains(s, "multipart") },
	"http-no-length":        func(s string) bool { return parts(s) > 1 && !strings.Contains(s, "Content-Length") },
	"http-no-type":          func(s string) bool { return parts(s) > 1 && !strings.Contains(s, "image/jpeg") },
	"http-no-headers": func(s string) bool {
		return parts(s) > 1 && !strings.Contains(s, "image/jpeg") && !strings.Contains(s, "Content-Length")
	},
	"http-no-first-boundary": has("\r\n\r\nContent-Type: image/jpeg"),
	"http-closed":            has("\r\n--frame--\r\n"),
	"http-lf":                has("--frame\nContent-Type: image/jpeg\n"),
	"http-marker-inside":     has("\xff\xd9\xff\xd8\xff\xd9"),
	"http-no-tables":         func(s string) bool { return parts(s) > 1 && !strings.Contains(s, "\xff\xc4") },
	"http-icy":               has("ICY 200 OK\r\n"),
	"http-1.0":               has("HTTP/1.0 200\r\n"),
	"http-headless":          func(s string) bool { return strings.HasPrefix(s, "--frame") },
	"http-odd-head":          has("no field\r\nodd name: 1\r\n"),
	"http-length":            has("Content-Length: 1000\r\nContent-Type: multipart"),
	"http-length-negative":   has("Content-Length: -1\r\n"),
	"http-chunked":           has("Transfer-Encoding: chunked\r\n"),
	"http-text":              has("Content-Type: text/plain\r\n"),
	"http-mixed":             has("multipart/mixed; charset=utf-8"),
	"http-no-end":            func(s string) bool { return parts(s) > 5 && !strings.Contains(s, "\xff\xd9") },
	"http-counts-too-much":   countsPart(func(says, is int) bool { return says > is }),
	"http-counts-too-little": countsPart(func(says, is int) bool { return says < is }),
	"http-padded":            has("\xff\xd9\x00\x00\x00\x00"),
}

func has(texts ...string) func(string) bool {
	return func(s string) bool {
		for _, text := range texts {
			if !strings.Contains(s, text) {
				return false
			}
		}
		return true
	}
}

func headed(s string) bool { return strings.Contains(s, "\xff\xd8") }

// countsPart compares the Content-Length of the first part with its length.
func countsPart(like func(says, is int) bool) func(string) bool {
	return func(s string) bool {
		_, rest, _ := strings.Cut(s, "Content-Length: ")
		number, rest, _ := strings.Cut(rest, "\r\n\r\n")
		picture, _, whole := strings.Cut(rest, "\r\n--frame")
		says, err := strconv.Atoi(number)
		return err == nil && whole && like(says, len(picture))
	}
}

func parts(s string) int { return strings.Count(s, "--frame\r\n") }

func TestJPEGBehaviours(t *testing.T) {
	plain := fetch(t, fakecam.StartJPEG(t, fakecam.JPEGConfig{FPS: 50}), func(s string) bool { return parts(s) > 5 })
	tested := map[string]bool{"http-one-viewer": true, "http-digest": true, "http-digest-sha-256": true,
		"http-basic": true,
		"http-etag":  true, "http-cookie": true} // below
	for _, b := range fakecam.JPEGBehaviours() {
		check := jpegChecks[b.Name]
		if check == nil {
			if !tested[b.Name] {
				t.Errorf("%s is not tested", b.Name)
			}
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			if check(plain) {
				t.Error("it shows with a camera without oddities too")
			}
			b.Config.FPS = 50
			got := fetch(t, fakecam.StartJPEG(t, b.Config), func(s string) bool { return check(s) && len(s) > 60_000 })
			if b.Name == "http-no-end" { // nobody but a client that knows it finds a picture
				return
			}
			p, rest, ok := mjpeg.Next([]byte(got))
			if _, err := jpeg.Decode(bytes.NewReader(p.Data)); !ok || err != nil || len(rest) == 0 {
				t.Errorf("no picture: %v", err)
			}
		})
	}
}

func TestCookie(t *testing.T) {
	c := jpegNamed(t, "http-cookie")
	first := get(t, c.URL())
	cookie, _, _ := strings.Cut(first.Header.Get("Set-Cookie"), ";")
	if first.StatusCode != http.StatusFound || cookie == "" {
		t.Fatalf("%s, cookie %q", first.Status, cookie)
	}
	if again := get(t, c.URL(), "Cookie", cookie); again.StatusCode != http.StatusOK {
		t.Error(again.Status)
	}
}

// get fetches a picture with a header.
func get(t *testing.T, url string, fields ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(soon(t), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func jpegNamed(t *testing.T, name string) *fakecam.JPEGCamera {
	t.Helper()
	b, ok := fakecam.JPEGBehaviourNamed(name)
	if !ok {
		t.Fatalf("there is no behaviour %q", name)
	}
	return fakecam.StartJPEG(t, b.Config)
}

func TestPicture(t *testing.T) {
	b, _ := fakecam.JPEGBehaviourNamed("http-etag")
	b.Config.FPS = 0.01 // one picture
	c := fakecam.StartJPEG(t, b.Config)
	first := get(t, c.PictureURL())
	if _, err := jpeg.Decode(first.Body); err != nil || first.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("not a picture: %v", err)
	}
	again := get(t, c.PictureURL(), "If-None-Match", first.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified || c.Count(fakecam.NotModified) != 1 {
		t.Errorf("the same picture gets %s", again.Status)
	}
}

func TestHTTPLogin(t *testing.T) {
	for _, name := range []string{"http-digest", "http-digest-sha-256", "http-basic"} {
		t.Run(name, func(t *testing.T) {
			c := jpegNamed(t, name)
			resp := get(t, c.PictureURL())
			scheme := strings.Fields(resp.Header.Get("WWW-Authenticate"))
			if resp.StatusCode != http.StatusUnauthorized || len(scheme) == 0 {
				t.Errorf("without login: %s %q", resp.Status, scheme)
			}
			if resp := get(t, c.PictureURL(), "Authorization",
				"Basic YWRtaW46d3Jvbmc="); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("a wrong password gets %s", resp.Status)
			}
			await := c.Await(soon(t), fakecam.Refused, 1)
			if await != nil {
				t.Error(await)
			}
			resp = get(t, c.PictureURL(), "Authorization", "Basic YWRtaW46c2VjcmV0")
			if got := resp.StatusCode == http.StatusOK; got != (name == "http-basic") {
				t.Errorf("Basic gets %s", resp.Status)
			}
		})
	}
}

// TestCurlLogsIn is the judgement of another implementation on the logins.
func TestCurlLogsIn(t *testing.T) {
	for name, challenge := range map[string]string{
		"Basic":     `Basic realm="fake"`,
		"no qop":    `Digest realm="fake", nonce="%n"`,
		"qop":       `Digest realm="fake", nonce="%n", qop="auth-int,auth", opaque="0123"`,
		"SHA-256":   `Digest realm="fake", nonce="%n", algorithm=SHA-256, qop="auth"`,
		"MD5-sess":  `Digest realm="fake", nonce="%n", algorithm=MD5-sess, qop="auth"`,
		"lowercase": `digest realm="fake", nonce="%n", algorithm="MD5"`,
	} {
		t.Run(name, func(t *testing.T) {
			c := fakecam.StartJPEG(t, fakecam.JPEGConfig{Login: fakecam.Login{User: "admin", Password: "secret",
				Challenges: []string{challenge}}})
			for login, want := range map[string]string{"admin:secret": "200", "admin:wrong": "401", "other:secret": "401"} {
				cmd := exec.CommandContext(soon(t), "curl", "-sS", "--anyauth", "-K", "-", "-o", "/dev/null", "-w",
					"%{http_code}",
					c.PictureURL())
				cmd.Stdin = strings.NewReader("user = " + login)
				if got, err := cmd.Output(); err != nil || string(got) != want {
					t.Errorf("curl with %s: %q, %v", login, got, err)
				}
			}
		})
	}
}

func TestHTTPOneViewer(t *testing.T) {
	c := jpegNamed(t, "http-one-viewer")
	first := get(t, c.URL())
	if resp := get(t, c.URL()); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a second viewer gets %s", resp.Status)
	}
	first.Body.Close()
	if err := c.Await(soon(t), fakecam.Disconnected, 1); err != nil {
		t.Fatal(err)
	}
}
