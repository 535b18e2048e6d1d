package launch

import (
	"net"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/robot"
)

func TestPageForPeople(t *testing.T) {
	const token = "sixteen-or-more+"
	own := access.Reachable(":8080")
	host, _, _ := net.SplitHostPort(own)
	for _, tt := range []struct {
		http, token string
		want        Page
	}{
		{"127.0.0.1:8080", "", Page{"http://127.0.0.1:8080/", false}},
		{":8080", "", Page{"http://127.0.0.1:8080/", false}},
		{"localhost:8080", token, Page{"http://localhost:8080/?token=sixteen-or-more%2B", false}},
		{"192.0.2.1:8080", token, Page{"http://192.0.2.1:8080/?token=sixteen-or-more%2B", true}},
		{":8080", token, Page{"http://" + own + "/?token=sixteen-or-more%2B", !net.ParseIP(host).IsLoopback()}},
		{"0.0.0.0:8080", token, Page{"http://" + own + "/?token=sixteen-or-more%2B", !net.ParseIP(host).IsLoopback()}},
		{"0.0.0.0:8080", "", Page{}},
		{"8080", token, Page{}},
	} {
		p := &Plan{robot: &robot.Robot{}, config: Config{Token: tt.token}}
		p.gateway.Override("http", tt.http, "--http")
		if got := p.Page(); got != tt.want {
			t.Errorf("http %s, token %q: %+v, want %+v", tt.http, tt.token, got, tt.want)
		}
	}
}
