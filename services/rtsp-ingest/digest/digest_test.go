package digest

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
)

// The examples of RFC 7616, section 3.9.
func TestExamplesOfTheRFC(t *testing.T) {
	const nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	const common = `realm="http-auth@example.org", qop="auth, auth-int", nonce="` + nonce +
		`", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
	for algorithm, want := range map[string]string{
		"MD5":     "8ca523f5e9506fed4657c9700eebdbec",
		"SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		l := New("Mufasa", "Circle of Life")
		if !l.Take([]string{"Digest " + common + ", algorithm=" + algorithm}) {
			t.Fatal("not answered")
		}
		if got := l.digest("GET", "/dir/index.html", cnonce); !strings.Contains(got, `response="`+want+`"`) {
			t.Errorf("%s: %s", algorithm, got)
		}
	}
}

var challenges = []struct {
	offered []string
	answer  string // how the answer begins
	has     string
}{
	{[]string{`Basic realm="a"`}, "Basic " + base64.StdEncoding.EncodeToString([]byte("me:it")), ""},
	{[]string{`digest realm="a",nonce="b"`}, "Digest ", `nonce="b"`},
	{[]string{`Basic realm="a"`, `Digest realm="a", nonce="b"`}, "Digest ", `nonce="b"`},
	{[]string{`Digest realm="a, b", nonce="b", Digest realm="a, b", nonce="c", algorithm=SHA-256`}, "Digest ",
		"algorithm=SHA-256"},
	{[]string{`Digest realm="a", nonce="b", algorithm=MD5-sess`}, "Digest ", "cnonce="},
	{[]string{`Digest realm="a", nonce="b", algorithm=ROT13`}, "", ""},
	{[]string{`Digest realm="a", nonce="b", algorithm=ROT13`, `Basic realm="a"`}, "", ""},
	{[]string{`Negotiate`}, "", ""},
	{[]string{``, `,`, `=`, `"`, `Digest realm="a`}, "", ""},
	{nil, "", ""},
}

func TestChallenges(t *testing.T) {
	for _, test := range challenges {
		l := New("me", "it")
		if again := l.Take(test.offered); again != (test.answer != "") {
			t.Errorf("%q: again %v", test.offered, again)
		}
		if got := l.Authorize("GET", "/"); !strings.HasPrefix(got, test.answer) || !strings.Contains(got,
			test.has) || test.answer == "" && got != "" {
			t.Errorf("%q: %q", test.offered, got)
		}
	}
}

// A second refusal is final, unless the nonce of a login that worked has changed.
func TestSecondRefusal(t *testing.T) {
	l := New("me", "it")
	first, second := []string{`Digest realm="a", nonce="1"`}, []string{`Digest realm="a", nonce="2"`}
	if !l.Take(first) || l.Take(second) {
		t.Error("a wrong password is tried again")
	}
	l = New("me", "it")
	if l.Take(first); !l.Answerable() {
		t.Error("not answerable")
	}
	if l.Accept(); !l.Take(second) || l.Take(second) {
		t.Error("a new nonce is answered once")
	}
	if l := New("", ""); l.Take(first) || !l.Answerable() {
		t.Error("answered without a user")
	}
}

func FuzzLogin(f *testing.F) {
	for _, c := range challenges {
		f.Add(strings.Join(c.offered, "\n"), "me", "it")
	}
	f.Fuzz(func(t *testing.T, offered, user, password string) {
		l := New(user, address.Secret(password))
		l.Take(strings.Split(offered, "\n"))
		if got := l.Authorize("GET", "/"); strings.HasPrefix(got,
			"Digest") && len(password) > 30 && strings.Contains(got, password) &&
			!strings.Contains(offered+user, password) {
			t.Error("the password is shown")
		}
	})
}
