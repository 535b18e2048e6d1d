package tunnel

import (
	"net/http"
	"strings"
	"testing"
)

const someChallenge = "000102030405060708090a0b0c0d0e0f"

// messages are those of registrations and of ICE servers, good and bad.
var messages = []struct {
	name, text                   string
	challenge, registration, ice bool // which it is
}{
	{"a challenge", `{"challenge":"` + someChallenge + `"}`, true, false, true},
	{"a challenge with more", `{"challenge":"` + someChallenge + `","version":2}`, true, false, true},
	{"a short challenge", `{"challenge":"0001"}`, false, false, true},
	{"a challenge in capitals", `{"challenge":"` + strings.ToUpper(someChallenge) + `"}`, false, false, true},
	{"a registration", `{"robot":"rover","key":"AAAA","signature":"AAAA"}`, false, true, true},
	{"a registration without a key", `{"robot":"rover"}`, false, true, true},
	{"a registration without a name", `{"key":"AAAA"}`, false, false, true},
	{"a name with a path", `{"robot":"../rover"}`, false, false, true},
	{"a key that is no base64", `{"robot":"rover","key":"?"}`, false, false, true},
	{"ICE servers", `{"iceServers":[{"urls":["stun:a:1","turns:a:443?transport=tcp"],"username":"u","credential":"c"}],` +
		`"lifetimeSeconds":60}`, false, false, true},
	{"an ICE server without addresses", `{"iceServers":[{}]}`, false, false, false},
	{"an ICE server elsewhere", `{"iceServers":[{"urls":["http://a"]}]}`, false, false, false},
	{"an ICE server with a space", `{"iceServers":[{"urls":["stun:a b"]}]}`, false, false, false},
	{"an ICE server by another transport", `{"iceServers":[{"urls":["turn:a?transport=sctp"]}]}`, false, false, false},
	{"many ICE servers", `{"iceServers":[` + strings.Repeat(`{"urls":["stun:a"]},`, 20) + `{"urls":["stun:a"]}]}`, false,
		false, false},
	{"an array", `[]`, false, false, false},
	{"no JSON", `hello`, false, false, false},
	{"nothing", ``, false, false, false},
}

func TestMessages(t *testing.T) {
	for _, tt := range messages {
		if _, err := parseChallenge([]byte(tt.text)); (err == nil) != tt.challenge {
			t.Errorf("%s as a challenge: %v", tt.name, err)
		}
		if _, err := parseRegistration([]byte(tt.text)); (err == nil) != tt.registration {
			t.Errorf("%s as a registration: %v", tt.name, err)
		}
		if _, err := parseICE([]byte(tt.text)); (err == nil) != tt.ice {
			t.Errorf("%s as ICE servers: %v", tt.name, err)
		}
	}
}

// FuzzMessages: nothing from outside panics, and no forged registration is verified.
func FuzzMessages(f *testing.F) {
	for _, tt := range messages {
		f.Add([]byte(tt.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseChallenge(data); err == nil && len(c) != len(someChallenge) {
			t.Errorf("challenge %q", c)
		}
		if r, err := parseRegistration(data); err == nil && r.verify([]string{"example.org"}, someChallenge) == nil {
			t.Errorf("%q is verified", data)
		}
		if s, err := parseICE(data); err == nil && (s.Lifetime() < minLifetime || s.Lifetime() > maxLifetime) {
			t.Errorf("lifetime %s", s.Lifetime())
		}
		_ = parseVerdict(data) // must not panic
	})
}

// TestICEServers: a robot is told those made for it and its peer.
func TestICEServers(t *testing.T) {
	robot, server := pair(t)
	far := &http.Server{ReadHeaderTimeout: deadline, Handler: ICEHandler(func(robot string) ICEServers {
		return ICEServers{Servers: []ICEServer{{URLs: []string{"turn:example.org"}, Username: robot}},
			LifetimeSeconds: 3600}
	})}
	defer far.Close()
	go func() { _ = far.Serve(server) }()
	got, err := robot.ICEServers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Servers) != 1 || got.Servers[0].Username != "rover" || got.Lifetime().Hours() != 1 {
		t.Errorf("%+v", got)
	}
}
