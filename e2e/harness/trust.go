package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Authority returns a file with the certificate of the robot's own authority, which a robot with TLS "auto" has.
func (r *Robot) Authority(tb testing.TB) (file string) {
	tb.Helper()
	return WriteFile(tb, "ca.crt", r.Trust(tb, "--pem"))
}

// Trust runs `waldo trust` as the robot's user, and returns what it prints.
func (r *Robot) Trust(tb testing.TB, options ...string) string {
	tb.Helper()
	program, args := r.where().command(r.waldo, append(append([]string{"trust"}, options...), r.file)...)
	return Run(tb, r.env, program, args...)
}

// AuthorityKey is the file of its key, which never leaves a robot.
func (r *Robot) AuthorityKey() string {
	for _, variable := range r.env {
		if state, ok := strings.CutPrefix(variable, "XDG_STATE_HOME="); ok {
			return filepath.Join(state, "waldo", "tls", "authority", "ca.key")
		}
	}
	return ""
}

// Trusting runs Chromium for a user who has added an authority, from a file, and who has no other certificates.
func Trusting(tb testing.TB, authority string) chromedp.ExecAllocatorOption {
	tb.Helper()
	home, err := os.MkdirTemp("", "home-") // removed late, like the profile
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(home) })
	store := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(store, 0o700); err != nil {
		tb.Fatal(err)
	}
	Run(tb, nil, "certutil", "-d", "sql:"+store, "-N", "--empty-password")
	Run(tb, nil, "certutil", "-d", "sql:"+store, "-A", "-t", "C,,", "-n", "robot", "-i", authority)
	return chromedp.Env("HOME=" + home)
}

// Resolve has Chromium find names at addresses: "robot.local", "198.18.2.1", and so on.
func Resolve(pairs ...string) chromedp.ExecAllocatorOption {
	var rules []string
	for i := 0; i+1 < len(pairs); i += 2 {
		rules = append(rules, "MAP "+pairs[i]+" "+pairs[i+1])
	}
	return chromedp.Flag("host-resolver-rules", strings.Join(rules, ", "))
}
