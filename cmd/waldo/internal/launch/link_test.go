package launch

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/pkg/robot"
)

func TestLink(t *testing.T) {
	environment := map[string]string{"STATE_DIRECTORY": t.TempDir()}
	environ := func(name string) string { return environment[name] }
	r := &robot.Robot{Name: "rover"}
	if _, err := Link(r, "", environ); !errors.Is(err, ErrNoRendezvous) {
		t.Errorf("without a server: %v", err)
	}
	r.Gateway.Override("rendezvous.url", "https://example.org", "robot.yaml")
	if _, err := Link(r, "", environ); err == nil || !strings.Contains(err.Error(), "waldo up") {
		t.Errorf("without a key: %v", err)
	}
	path, err := identity.Path("rover", environ)
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	link, err := Link(r, "", environ)
	if want := "https://example.org/r/rover/#key=" + key.Fingerprint(); link != want || err != nil {
		t.Errorf("%s, %v, want %s", link, err, want)
	}
	environment["WALDO_RENDEZVOUS_URL"] = "https://other.example:8443/"
	link, err = Link(r, "a token & more", environ)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	values, err := url.ParseQuery(u.EscapedFragment())
	if err != nil || values.Get("token") != "a token & more" || values.Get("key") != key.Fingerprint() {
		t.Errorf("fragment %v, %v", values, err)
	}
	if u.Host != "other.example:8443" || u.Path != "/r/rover/" || u.RawQuery != "" {
		t.Errorf("link %s", link)
	}
}
