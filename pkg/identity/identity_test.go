package identity

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pion/sdp/v3"
)

const some = "sha-256 " +
	"ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89"

// TestLoad: the key is made once, also by many at the same time, and only its owner can read it.
func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "key.pem")
	var all sync.WaitGroup
	found := make([]string, 8)
	for i := range found {
		all.Go(func() {
			k, err := Load(path)
			if err != nil {
				t.Error(err)
				return
			}
			found[i] = k.Fingerprint()
		})
	}
	all.Wait()
	for _, f := range found {
		if f != found[0] || len(f) != 43 {
			t.Errorf("fingerprint %q, want %q", f, found[0])
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestLoadOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	for _, text := range []string{"", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestAnswer: a signature is for one robot, one session, one offer and one answer.
func TestAnswer(t *testing.T) {
	k, err := New()
	if err != nil {
		t.Fatal(err)
	}
	other, err := New()
	if err != nil {
		t.Fatal(err)
	}
	challenge, another := []byte("0123456789abcdef"), []byte("0123456789abcdeg")
	signature, err := k.SignAnswer("rover", challenge, some, some)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(signature)
	changed[5] ^= 1
	for name, tt := range map[string]struct {
		public, signature, challenge []byte
		robot, offered, answered     string
		ok                           bool
	}{
		"the same":        {k.Public(), signature, challenge, "rover", some, some, true},
		"another key":     {other.Public(), signature, challenge, "rover", some, some, false},
		"no key":          {nil, signature, challenge, "rover", some, some, false},
		"a long key":      {make([]byte, 1000), signature, challenge, "rover", some, some, false},
		"changed":         {k.Public(), changed, challenge, "rover", some, some, false},
		"cut":             {k.Public(), signature[:63], challenge, "rover", some, some, false},
		"another session": {k.Public(), signature, another, "rover", some, some, false},
		"another robot":   {k.Public(), signature, challenge, "rovers", some, some, false},
		"another offer":   {k.Public(), signature, challenge, "rover", some[:len(some)-1] + "0", some, false},
		"another answer":  {k.Public(), signature, challenge, "rover", some, some[:len(some)-1] + "0", false},
	} {
		err := VerifyAnswer(tt.public, tt.signature, tt.robot, tt.challenge, tt.offered, tt.answered)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestProof: a proof is for one token, one robot, one session and one offer.
func TestProof(t *testing.T) {
	prover := func(robot, token string) *Prover {
		p, err := NewProver(robot, token)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := prover("rover", "open sesame")
	challenge := []byte("0123456789abcdef")
	proof := p.Prove(challenge, some)
	if !prover("rover", "open sesame").Proves(proof, challenge, some) {
		t.Error("a proof is not accepted")
	}
	if prover("rover", "open Sesame").Proves(proof, challenge, some) ||
		prover("raver", "open sesame").Proves(proof, challenge, some) || p.Proves(proof, challenge[1:], some) ||
		p.Proves(proof, challenge, some[1:]) || p.Proves(nil, challenge, some) {
		t.Error("a proof of something else is accepted")
	}
	if _, err := NewProver("rover", ""); err == nil {
		t.Error("an empty token proves something")
	}
}

// TestTogether: the page computes the same, see tests/secrets.test.js of the gateway's page.
func TestTogether(t *testing.T) {
	decode := func(text string) []byte {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	p, err := NewProver("rover", "open sesame")
	if err != nil {
		t.Fatal(err)
	}
	challenge := []byte("0123456789abcdef")
	if got := p.Prove(challenge, some); !bytes.Equal(got, decode("Zeblaxj1oxaDVnij0g6C8kaicvWLY9/1vINnOckr8cQ=")) {
		t.Errorf("proof %x", got)
	}
	public := decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+79pCYW2Mj+FmZHo+p2Fs/iBEyiyuZUtfog4ITNYrHizoVm3+HdH3oLLAKEcuztqB7Ml" +
		"GOBDGYzy2VnjZ71oxw==")
	signature := decode("xtBfoZQkpthLoJ82xFTsTXcf821OnCf+tB2fjs87hjjj8BWaylwJdRG3fGYk0M6yiflCSnzlIYaIZqzxUKXUlw==")
	if err := VerifyAnswer(public, signature, "rover", challenge, some, some); err != nil {
		t.Error(err)
	}
	if got := Fingerprint(public); got != "hpRHDvz66ut_Jm2M-fz_ED7mzlgxBfY42GIKYEswmWQ" {
		t.Errorf("fingerprint %s", got)
	}
}

// descriptions are session descriptions, reduced to what counts.
var descriptions = []struct{ name, sdp, want string }{
	{"one", "v=0\r\na=fingerprint:" + some + "\r\n", some},
	{"in each section, in capitals", "a=fingerprint:" + strings.ToUpper(some) + "\r\nm=\r\na=fingerprint:" + some + "\n",
		some},
	{"two different", "a=fingerprint:" + some + "\r\na=fingerprint:" + some[:len(some)-1] + "0\r\n", ""},
	{"another hash", "a=fingerprint:sha-1 ab:cd\r\n", ""},
	{"another hash beside", "a=fingerprint:" + some + "\r\na=fingerprint:sha-512 ab:cd\r\n", ""},
	{"cut", "a=fingerprint:" + some[:50] + "\r\n", ""},
	{"none", "v=0\r\n", ""},
	{"nothing", "", ""},
	{"one behind a lone carriage return", head + "c=IN IP4 0.0.0.0\ra=fingerprint:" + other + "\r\na=fingerprint:" + some +
		"\r\n", ""},
	{"one behind the fields of a line", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0 a=fingerprint:" + other +
		"\r\na=fingerprint:" + some + "\r\n", ""},
	{"one in capitals", "a=FINGERPRINT:" + other + "\r\na=fingerprint:" + some + "\r\n", ""},
	{"one in another form", "a= fingerprint:" + other + "\r\na=fingerprint:" + some + "\r\n", ""},
	{"a lone carriage return", "v=0\ra=fingerprint:" + some + "\r\n", ""},
	{"whole", head + "a=fingerprint:" + some + "\r\n", some},
}

// head begins a description, and other is another fingerprint.
const (
	head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"

	other = "sha-256 " + "ff:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89"
)

func TestDTLSFingerprint(t *testing.T) {
	for _, tt := range descriptions {
		if got, err := DTLSFingerprint(tt.sdp); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

// FuzzDTLSFingerprint: what is found is also all that pion finds, which decides whose certificate is accepted.
func FuzzDTLSFingerprint(f *testing.F) {
	for _, tt := range descriptions {
		f.Add(tt.sdp)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := DTLSFingerprint(text)
		if (err == nil) != sha256Fingerprint.MatchString(got) {
			t.Errorf("%q, %v", got, err)
		}
		var d sdp.SessionDescription
		if err != nil || d.UnmarshalString(text) != nil {
			return
		}
		attributes := d.Attributes
		for _, m := range d.MediaDescriptions {
			attributes = append(attributes, m.Attributes...)
		}
		for _, a := range attributes {
			if strings.EqualFold(a.Key, "fingerprint") && !strings.EqualFold(strings.TrimSpace(a.Value), got) {
				t.Errorf("pion finds %q, and not %q", a.Value, got)
			}
		}
	})
}
