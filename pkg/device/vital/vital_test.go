package vital_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/device/vital"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLocal(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:7101": "127.0.0.1:7101", ":7101": "127.0.0.1:7101", "0.0.0.0:7101": "127.0.0.1:7101",
		"[::]:7101":   "127.0.0.1:7101",
		"127.0.0.1:0": "", "10.0.0.1:7101": "10.0.0.1:7101", "nonsense": "",
	} {
		if got := vital.Local(listen); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

// TestNobody: a device that is not there could not be asked, which is not silence.
func TestNobody(t *testing.T) {
	p, err := vital.Dial("127.0.0.1:1", "token")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := p.Ask(t.Context()); got != vital.Unasked {
		t.Errorf("got %d", got)
	}
}
