package launch

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
)

// TestRunPageTaken: a program that got the address of the page after the check is not taken for the robot's gateway,
// even if it is another robot's. Run fails, and names the address.
func TestRunPageTaken(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"status":"ok","instance":"of another"}`) // who asks may have left
	}))
	defer other.Close()
	silent := occupy(t)
	for name, address := range map[string]string{"a gateway": other.Listener.Addr().String(), "no gateway": silent} {
		r := load(t, fmt.Sprintf("robot: a\ndevices: {front: {kind: camera, grpc: \"127.0.0.1:0\"}}\n"+
			"gateway: {http: %q, ice: \"127.0.0.1:0\"}\nnats: {listen: %q}\n", address, free(t)))
		p, err := New(r, installed(t), Config{})
		if err != nil {
			t.Fatal(err)
		}
		var printed strings.Builder
		printer := supervise.NewPrinter(&printed, p.Names(), false)
		err = p.Run(t.Context(), printer, func(url string) { t.Errorf("%s: the page is said to be at %s", name, url) })
		printer.Close()
		want := fmt.Sprintf("gateway.http: %s is in use (%v): stop the other program, or choose another address, "+
			"like --http", address, ErrAddressInUse)
		if !errors.Is(err, ErrAddressInUse) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s, after\n%s", name, err, want, printed.String())
		}
	}
}
