package launch

import (
	"strings"
	"testing"
)

// TestCheckBus: a check refuses what the bus would refuse when it starts.
func TestCheckBus(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	for name, tt := range map[string]struct {
		listen, url, token string
		says               string // "" if all is well
	}{
		"loopback":       {listen: "127.0.0.1:0"},
		"all":            {listen: ":0", says: `nats.listen: "0.0.0.0:0" can be reached`},
		"with a token":   {listen: ":0", token: "QYX7DZSJ2EWLTF5PAUZM3N6CKA"},
		"not our server": {listen: ":0", url: "nats://127.0.0.1:21697"},
		"all of IPv4":    {listen: "0.0.0.0:0", says: `nats.listen: "0.0.0.0:0" can be reached`},
	} {
		for what, check := range map[string]func(*Plan) error{
			"Check":     func(p *Plan) error { return p.Check(t.Context()) },
			"CheckFile": func(p *Plan) error { return p.CheckFile(t.Context()) },
		} {
			p, err := New(load(t, "robot: demo\ndevices:\n  front: {kind: camera, grpc: 127.0.0.1:0}\nnats: {listen: '"+
				tt.listen+"'}\n"), installed(t), Config{NATS: tt.url, Token: tt.token, NoGateway: true})
			if err != nil {
				t.Fatal(err)
			}
			err = check(p)
			if (err == nil) != (tt.says == "") || err != nil && strings.Count(err.Error(), "nats.listen") != 1 ||
				err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s, %s: %v, want %q", name, what, err, tt.says)
			}
		}
	}
}
