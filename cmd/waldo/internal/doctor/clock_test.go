package doctor_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/doctor"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
	"github.com/waldo-robot/waldo/pkg/version"
)

// TestClockAndCertificate: what is said of the clock, and of the certificate that the robot has made for itself, while
// the clock goes through the years. A clock that is wrong is no fault of the certificate.
func TestClockAndCertificate(t *testing.T) {
	made := version.Day.AddDate(0, 1, 0)
	ends := made.AddDate(1, 0, 0)
	for name, tt := range map[string]struct {
		now  time.Time
		want []string // check and level
	}{
		"1970":             {time.Unix(60, 0), []string{"clock error"}},
		"before Waldo":     {version.Day.Add(-time.Hour), []string{"clock error"}},
		"just made":        {made.Add(time.Minute), nil},
		"two weeks left":   {ends.AddDate(0, 0, -13), []string{"certificates warning"}},
		"expired":          {ends.Add(time.Minute), []string{"certificates error"}},
		"long expired":     {ends.AddDate(9, 0, 0), []string{"certificates error"}},
		"three weeks left": {ends.AddDate(0, 0, -21), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, root := healthy(t)
			s.Now = func() time.Time { return tt.now }
			folder := filepath.Join(root, "var/lib/waldo/tls")
			if err := os.MkdirAll(folder, 0o750); err != nil {
				t.Fatal(err)
			}
			certstest.NewAuthority(t).IssueTo(filepath.Join(folder, "leaf.crt"), filepath.Join(folder, "leaf.key"),
				[]string{"rover.local"}, certstest.Between(version.Day.AddDate(-1, 0, 0), ends))
			parse(t, s, rover+"tls: auto\n")
			put(t, root, "etc/waldo/units/robot.yaml", string(s.Robot.Text), 0o640)
			var got []string
			found := doctor.Examine(t.Context(), s)
			for _, f := range found {
				got = append(got, f.Check+" "+string(f.Level))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %+v, want %q", found, tt.want)
			}
		})
	}
}
