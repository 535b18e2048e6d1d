package serial

import (
	"errors"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/serial/frame"
)

// TestReading: which keys apply to which format, and the hint when nothing can be read.
func TestReading(t *testing.T) {
	for name, tt := range map[string]struct {
		change    func(*Config)
		bad, hint string
	}{
		"lines":                    {func(c *Config) { c.Delimiter = "\r\n" }, "", `delimiter, which is "\r\n"`},
		"sentences":                {func(c *Config) { c.Read = formNMEA }, "", "check baud"},
		"sentences of no checksum": {func(c *Config) { c.Read, c.ChecksumOptional = formNMEA, true }, "", "check baud"},
		"lines of no checksum":     {func(c *Config) { c.ChecksumOptional = true }, "checksumOptional", ""},
		"structs of no checksum":   {func(c *Config) { c.Read, c.ChecksumOptional = "<hh", true }, "checksumOptional", ""},
		"sentences with a CRC":     {func(c *Config) { c.Read, c.Checksum = formNMEA, frame.CRC8 }, "checksum", ""},
		"structs":                  {func(c *Config) { c.Read = "<hh" }, "", `4 bytes of "<hh"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := Defaults()
			c.Port = portSim
			tt.change(&c)
			var bad *robot.FieldError
			if err := c.Validate(); tt.bad != "" {
				if !errors.As(err, &bad) || bad.Key != tt.bad {
					t.Errorf("%v, want an error of %s", err, tt.bad)
				}
				return
			} else if err != nil {
				t.Fatal(err)
			}
			if r, err := c.reading(); err != nil || !strings.Contains(r.hint, tt.hint) {
				t.Errorf("%q, %v, want %q", r.hint, err, tt.hint)
			}
		})
	}
}
