package config_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/settings"
	"github.com/waldo-robot/waldo/pkg/socket"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
)

// load reads a robot file's text (none if it is empty), an environment and flags.
func load(t testing.TB, yaml string, env map[string]string, args ...string) (*config.Config, error) {
	t.Helper()
	if yaml != "" {
		file := filepath.Join(t.TempDir(), "robot.yaml")
		if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--robot-file", file}, args...)
	}
	return config.Load(args, func(key string) string { return env[key] }, io.Discard)
}

const strong = "sixteen-or-more!"

const base = "robot: demo\ndevices: {front: {kind: camera}, rear: {kind: camera}}\n"

func TestDefaults(t *testing.T) {
	c, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, narrowed := c.Gateway.HTTPAddress(); a != "127.0.0.1:8080" || narrowed ||
		c.Gateway.ICEAddress() != "127.0.0.1:7100" ||
		c.NATS != "nats://127.0.0.1:4222" || c.Gateway.MaxViewers != 200 {
		t.Errorf("%+v", c)
	}
}

func TestPrecedence(t *testing.T) {
	yaml := base + "gateway: {http: '127.0.0.1:1', ice: '127.0.0.1:2', maxViewers: 3}\nnats: {listen: '127.0.0.1:5'}\n"
	c, err := load(t, yaml, map[string]string{"WALDO_HTTP": "127.0.0.1:10", "WALDO_MAX_VIEWERS": "30",
		"WALDO_TOKEN": "x"}, "--max-viewers", "300")
	if err != nil {
		t.Fatal(err)
	}
	g := c.Gateway
	if g.HTTP != "127.0.0.1:10" || g.ICE != "127.0.0.1:2" || g.MaxViewers != 300 || g.Token != "x" || c.BusToken != "x" {
		t.Errorf("%+v", c)
	}
	if c.Robot != "demo" || len(c.Devices) != 2 || c.NATS != "nats://127.0.0.1:5" {
		t.Errorf("%+v", c.Settings)
	}
}

func TestUDPBatch(t *testing.T) {
	for _, tt := range []struct {
		yaml string
		env  map[string]string
		args []string
		want socket.Batching
	}{
		{"", nil, nil, socket.Auto},
		{base + "gateway: {udpBatch: off}", nil, nil, socket.Off},
		{base + "gateway: {udpBatch: off}", map[string]string{"WALDO_UDP_BATCH": "on"}, nil, socket.On},
		{base + "gateway: {udpBatch: off}", nil, []string{"--udp-batch", "auto"}, socket.Auto},
	} {
		c, err := load(t, tt.yaml, tt.env, tt.args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Gateway.Batching(); got != tt.want {
			t.Errorf("%q, %v, %v: %s, want %s", tt.yaml, tt.env, tt.args, got, tt.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	tests := []struct {
		http, ice, token   string
		wantHTTP, wantICE  string
		narrowed, mustFail bool
	}{
		{":8080", "", "", "127.0.0.1:8080", "127.0.0.1:7100", true, false},
		{":8080", "", strong, ":8080", ":7100", false, false},
		{":8080", "", "secret", "", "", false, true},
		{"localhost:1", "", "", "localhost:1", "localhost:7100", false, false},
		{"127.0.0.1:1", "", "secret", "127.0.0.1:1", "127.0.0.1:7100", false, false},
		{"[::1]:1", ":9", "", "[::1]:1", "127.0.0.1:9", false, false},
		{"10.0.0.1:80", "", strong, "10.0.0.1:80", "10.0.0.1:7100", false, false},
		{"0.0.0.0:80", "", "", "", "", false, true},
		{"127.0.0.1:80", "0.0.0.0:7100", "", "", "", false, true},
		{"127.0.0.1:80", "0.0.0.0:7100", "secret", "", "", false, true},
	}
	for _, tt := range tests {
		c, err := load(t, "", nil, "--http", tt.http, "--ice", tt.ice, "--token", tt.token)
		if tt.mustFail {
			if err == nil || !strings.Contains(err.Error(), "token") {
				t.Errorf("%s without a token: %v, want an error that names the token", tt.http, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.http, err)
			continue
		}
		if a, narrowed := c.Gateway.HTTPAddress(); a != tt.wantHTTP || narrowed != tt.narrowed ||
			c.Gateway.ICEAddress() != tt.wantICE {
			t.Errorf("%s: http %s (narrowed %v), ice %s", tt.http, a, narrowed, c.Gateway.ICEAddress())
		}
	}
}

func TestBad(t *testing.T) {
	tests := []struct {
		name, yaml string
		env        map[string]string
		args       []string
		says       []string
	}{
		{"unknown key", base + "gateway: {htpp: ':80'}", nil, nil, []string{"robot.yaml:3", "htpp", `"http"`}},
		{"no address", base + "gateway: {http: '8080'}", nil, nil, []string{"robot.yaml:3", "gateway.http", "host:port"}},
		{"no address in the environment", "", map[string]string{"WALDO_HTTP": "8080"}, nil,
			[]string{"WALDO_HTTP", "host:port"}},
		{"no viewers", "", nil, []string{"--max-viewers", "0"}, []string{"--max-viewers", "1 to 10000"}},
		{"viewers in words", "", nil, []string{"--max-viewers", "many"}, []string{"--max-viewers", "many"}},
		{"no IP", base + "gateway: {publicIps: [home]}", nil, nil, []string{"publicIps", "home"}},
		{"no ICE server", base + "gateway: {iceServers: [{urls: ['http://x']}]}", nil, nil, []string{"iceServers", "stun:"}},
		{"ICE server without address", base + "gateway: {iceServers: [{username: x}]}", nil, nil,
			[]string{"iceServers", "urls"}},
		{"no origin", base + "gateway: {origins: [example.org]}", nil, nil, []string{"origins", "https://"}},
		{"origin with a path", base + "gateway: {origins: ['https://example.org/page']}", nil, nil,
			[]string{"origins", "https://"}},
		{"host with a port", base + "gateway: {hosts: ['robot.example:80']}", nil, nil,
			[]string{"hosts", "without scheme and port"}},
		{"host with a scheme", "", map[string]string{"WALDO_HOSTS": "https://robot.example"}, nil,
			[]string{"WALDO_HOSTS", "robot.example.org"}},
		{"token that is no header", "", map[string]string{"WALDO_TOKEN": "two words"}, nil,
			[]string{"WALDO_TOKEN", "printable"}},
		{"token that can be guessed", base + "gateway: {http: ':8080', token: secret}", nil, nil,
			[]string{"gateway.http", "waldo token"}},
		{"rendezvous without a token", base + "gateway: {rendezvous: {url: 'https://example.org'}}", nil, nil,
			[]string{"gateway.rendezvous.url", "gateway.token", "waldo token"}},
		{"rendezvous with a token that can be guessed", base + "gateway: {token: secret, rendezvous: {url: 'https://a'}}",
			nil, nil, []string{"gateway.rendezvous.url", "16"}},
		{"rendezvous in the clear", "",
			map[string]string{"WALDO_TOKEN": strong, "WALDO_RENDEZVOUS_URL": "http://example.org"},
			nil, []string{"WALDO_RENDEZVOUS_URL", "use https"}},
		{"rendezvous that is no address", "", map[string]string{"WALDO_TOKEN": strong},
			[]string{"--rendezvous.url", "example"}, []string{"--rendezvous.url", "https://host"}},
		{"rendezvous with a secret in its address", base + "gateway: {token: '" + strong +
			"', rendezvous: {url: 'https://x:y@a'}}", nil, nil, []string{"gateway.rendezvous.url", "rendezvous.token"}},
		{"guest token that can be guessed", base + "gateway: {token: '" + strong +
			"', rendezvous: {url: 'https://a', guestToken: guest}}", nil, nil,
			[]string{"gateway.rendezvous.guestToken", "guessed"}},
		{"guest token that is the token", base + "gateway: {token: '" + strong +
			"', rendezvous: {url: 'https://a', guestToken: '" + strong + "'}}", nil, nil,
			[]string{"gateway.rendezvous.guestToken", "must not see"}},
		{"guest token without a server", base + "gateway: {rendezvous: {guestToken: '" + strong + "'}}", nil, nil,
			[]string{"gateway.rendezvous.url", "missing"}},
		{"no authority", base + "gateway: {token: '" + strong + "', rendezvous: {url: 'https://a', ca: nowhere.pem}}", nil,
			nil, []string{"gateway.rendezvous.ca", "nowhere.pem"}},
		{"bad robot", "", nil, []string{"--robot", "My Robot"}, []string{"--robot", "lower-case"}},
		{"bad level", "", nil, []string{"--log-level", "loud"}, []string{"--log-level", "debug"}},
		{"fleet with a robot", base, nil, []string{"--fleet"}, []string{"fleet", "leave out robot-file"}},
		{"fleet with a rendezvous server", "", map[string]string{"WALDO_TOKEN": strong, "WALDO_RENDEZVOUS_URL": "https://a"},
			[]string{"--fleet"}, []string{"RENDEZVOUS_URL", "one robot"}},
		{"unknown flag", "", nil, []string{"--htpp", "x"}, []string{"htpp"}},
		{"stray word", "", nil, []string{"start"}, []string{"start", "--key value"}},
		{"no such file", "", nil, []string{"--robot-file", "/nowhere.yaml"}, []string{"/nowhere.yaml"}},
		{"no way to send", base + "gateway: {udpBatch: maybe}", nil, nil,
			[]string{"gateway.udpBatch", "use auto, on or off"}},
		{"all at once", base + "gateway: {http: x, maxViewers: -1}", nil, nil,
			[]string{"gateway.http", "gateway.maxViewers"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.yaml, tt.env, tt.args...)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not name %q: %v", part, err)
				}
			}
		})
	}
}

func TestHosts(t *testing.T) {
	c, err := load(t, base+"gateway: {hosts: [robot.example, 192.0.2.1, '2001:db8::1', robot]}", nil)
	if err != nil || len(c.Gateway.Hosts) != 4 {
		t.Errorf("%v, %v", c, err)
	}
}

func TestRendezvous(t *testing.T) {
	c, err := load(t, base+"gateway: {token: '"+strong+"', rendezvous: {url: 'https://example.org', guestToken: '"+strong+
		"2'}}", map[string]string{"WALDO_RENDEZVOUS_TOKEN": "the"})
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Gateway.Rendezvous; r.URL != "https://example.org" || r.GuestToken != strong+"2" || r.Token != "the" {
		t.Errorf("%+v", r)
	}
	if _, err := load(t, "",
		map[string]string{"WALDO_TOKEN": strong, "WALDO_RENDEZVOUS_URL": "http://127.0.0.1:8443"}); err != nil {
		t.Error(err)
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	_, err := config.Load([]string{"--help"}, func(string) string { return "" }, &out)
	if !errors.Is(err, settings.ErrHelp) {
		t.Error(err)
	}
	for _, part := range []string{"--http", "--max-viewers", "200", "WALDO_HTTP", "--check", "--robot-file"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("help does not name %s:\n%s", part, out.String())
		}
	}
}
