package fakecam

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestDigest has the examples of RFC 7616, section 3.9.1.
func TestDigest(t *testing.T) {
	const md5, sha = `Digest realm="x", nonce="%n"`, `Digest realm="x", nonce="%n", algorithm=SHA-256`
	rfc7616 := func(algorithm, response string) string {
		return `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=` + algorithm +
			`, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,` +
			` cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="` + response + `"`
	}
	goodMD5 := rfc7616("MD5", "8ca523f5e9506fed4657c9700eebdbec")
	goodSHA := rfc7616("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")
	for _, test := range []struct {
		name, challenge, authorization, nonce string
		want                                  verdict
	}{
		{"MD5", md5, goodMD5, "", welcome},
		{"SHA-256", sha, goodSHA, "", welcome},
		{"not offered", sha, goodMD5, "", wrong},
		{"another response", md5, rfc7616("MD5", "8ca523f5e9506fed4657c9700eebdbed"), "", wrong},
		{"another nonce", md5, goodMD5, "other", unknown},
		{"another user", md5, strings.Replace(goodMD5, "Mufasa", "Scar", 1), "", wrong},
		{"another scheme", md5, "Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl", "", wrong},
		{"Basic", `basic realm="x"`, "Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl", "", welcome},
		{"nothing", md5, "", "", unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGuard(Login{User: "Mufasa", Password: "Circle of Life", Challenges: []string{test.challenge}})
			set(&test.nonce, "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v")
			g.nonce = test.nonce
			if got := g.check("GET", test.authorization, true); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}

func TestPair(t *testing.T) {
	for transport, want := range map[string][3]int{
		"RTP/AVP;unicast;client_port=5000-5001":    {5000, 5001, 1},
		"RTP/AVP;unicast;client_port= 5000 ;x":     {5000, 5001, 1},
		"RTP/AVP;unicast;client_port=5000-5007;x":  {5000, 5007, 1},
		"RTP/AVP;unicast;client_port=x-5001":       {0, 0, 0},
		"RTP/AVP;unicast;interleaved=5000-5001":    {0, 0, 0},
		"RTP/AVP;unicast;client_port=5000-;server": {5000, 5001, 1},
	} {
		a, b, ok := pair(transport, "client_port")
		if got := [3]int{a, b, map[bool]int{true: 1}[ok]}; got != want {
			t.Errorf("%s: %v, want %v", transport, got, want)
		}
	}
}

// TestPlaces checks that the clips with B-frames present each picture once.
func TestPlaces(t *testing.T) {
	for _, name := range Clips() {
		m := Clip(name)
		seen := make([]bool, len(m.Units))
		for i, u := range m.Units {
			if u.Place < 0 || u.Place >= len(seen) || seen[u.Place] || len(u.Data) == 0 {
				t.Errorf("%s: unit %d of %d is at place %d with %d parts", name, i, len(seen), u.Place, len(u.Data))
				continue
			}
			seen[u.Place] = true
		}
		if m.Video() && !m.Units[0].Key {
			t.Errorf("%s does not begin with a key picture", name)
		}
	}
}

// FuzzRead gives the server bytes of a client. It takes messages with all their bytes, or ends with an error.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
		"SET_PARAMETER rtsp://x/ RTSP/1.0\nContent-Length: 3\n\nabcOPTIONS * RTSP/1.0\n\n",
		"$\x00\x00\x03abc$\x01\x00\x00", "$\x00\xff\xff", "RTSP/1.0 200 OK\r\n\r\n",
		"A B\r\nContent-Length: -1\r\n\r\n", "A B\r\nContent-Length: 999999999999\r\n\r\n", "A B\r\n: x\r\n\r\n",
		"\r\n\r\n",
		"A B\r\n" + strings.Repeat("x: y\r\n", maxFields+1) + "\r\n", strings.Repeat("A", maxLine+1),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		source := bytes.NewReader(data)
		r := bufio.NewReader(source)
		for {
			left := source.Len() + r.Buffered()
			req, fr, err := read(r)
			if err != nil {
				return
			}
			used := left - source.Len() - r.Buffered()
			switch {
			case used <= 0:
				t.Fatal("a message without bytes")
			case fr != nil && used != 4+len(fr.data):
				t.Fatalf("a frame of %d bytes took %d", len(fr.data), used)
			case req != nil && (len(req.Body) > maxBody || len(req.Body) > used || req.URL == ""):
				t.Fatalf("%d bytes made %+v", used, req)
			}
		}
	})
}

// FuzzCredentials gives the guard what a client says: nobody comes in without the password.
func FuzzCredentials(f *testing.F) {
	for _, seed := range []string{"Basic", "Digest", `Digest username="a", nonce="`, "Digest a=b,c=\"d\",,=,e",
		"Basic !!", "digest nonce="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, authorization string) {
		g := newGuard(Login{User: "user", Password: "a password nobody guesses", Challenges: []string{
			`Digest realm="x", nonce="%n"`, `Basic realm="x"`}})
		if got := g.check("DESCRIBE", authorization, true); got == welcome {
			t.Fatalf("%q came in", authorization)
		}
	})
}

func TestReadEnds(t *testing.T) {
	if _, _, err := read(bufio.NewReader(strings.NewReader(""))); !errors.Is(err, io.EOF) {
		t.Errorf("%v at the end", err)
	}
}
