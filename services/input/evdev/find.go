package evdev

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/input/source"
)

// Bounds of what an error lists: devices, and bytes of a name.
const (
	maxListed = 6
	maxName   = 40
)

// List lists the devices of the machine that can be opened.
func List() ([]source.Info, error) {
	there, err := survey(linuxKernel{}, nil, false)
	return there.infos, err
}

// sight is the set of devices on the machine.
type sight struct {
	infos  []source.Info
	denied []string // files that must not be read
	found  *handle  // the best one that fits, open
	info   source.Info
	rank   int // of the one that was found
}

// survey opens the devices in turn, up to the first that fits, or, if they are ranked, up to one of the
// best rank; a nil fits surveys all. Devices that disappear meanwhile are left out.
func survey(k kernel, fits func(source.Info) bool, ranked bool) (s sight, err error) {
	paths, err := k.paths()
	if err != nil {
		return s, fmt.Errorf("the input devices cannot be listed: %w", err)
	}
	for _, path := range paths {
		d, err := openDevice(k, path)
		if errors.Is(err, fs.ErrPermission) {
			s.denied = append(s.denied, path)
		}
		if err != nil {
			continue
		}
		info, err := d.describe()
		switch {
		case err == nil && fits != nil && fits(info) && s.better(d, info, ranked):
			if s.rank == 0 {
				return s, nil
			}
			continue
		case err == nil:
			s.infos = append(s.infos, info)
		}
		d.close()
	}
	return s, nil
}

// better keeps a device that fits if it is better than the one found before.
func (s *sight) better(d *handle, info source.Info, ranked bool) bool {
	r := 0
	if ranked {
		r = d.rank()
	}
	if s.found != nil {
		if r >= s.rank {
			return false
		}
		s.found.close()
	}
	s.found, s.info, s.rank = d, info, r
	return true
}

// find opens the configured device.
func (s *Source) find() (*handle, source.Info, error) {
	if s.config.Path != "" {
		return s.findPath()
	}
	there, err := survey(s.kernel, s.fits, s.config.Match == source.Gamepad)
	if err != nil {
		return nil, source.Info{}, err
	}
	if there.found == nil {
		return nil, source.Info{}, fmt.Errorf("%w: there is no %s%s", device.ErrAway, s.wanted(), there)
	}
	return there.found, there.info, nil
}

// findPath opens the device at that path, which may be a link that udev made.
func (s *Source) findPath() (*handle, source.Info, error) {
	path, err := filepath.EvalSymlinks(s.config.Path)
	if errors.Is(err, fs.ErrNotExist) {
		there, _ := survey(s.kernel, nil, false) // devices that cannot be listed are left out
		return nil, source.Info{}, fmt.Errorf("%w%s", explain(s.config.Path, err), there)
	}
	if err != nil {
		return nil, source.Info{}, explain(s.config.Path, err)
	}
	d, err := openDevice(s.kernel, path)
	if err != nil {
		return nil, source.Info{}, err
	}
	info, err := d.describe()
	if err != nil {
		d.close()
	}
	return d, info, err
}

func (s *Source) fits(info source.Info) bool {
	c := s.config
	return (c.Match == "" || c.Match == AnyKind || c.Match == info.Kind) &&
		strings.Contains(strings.ToLower(info.Name), strings.ToLower(c.Name))
}

// wanted describes, for an error, what was looked for.
func (s *Source) wanted() string {
	kind := s.config.Match
	if kind == "" || kind == AnyKind {
		kind = "input device"
	}
	if s.config.Name == "" {
		return kind
	}
	return fmt.Sprintf("%s whose name contains %q", kind, s.config.Name)
}

// String continues an error with the devices there are.
func (s sight) String() string {
	var text strings.Builder
	if len(s.infos) == 0 && len(s.denied) == 0 {
		return ", nor any other input device: is it plugged in, and its driver loaded?"
	}
	if len(s.infos) > 0 {
		text.WriteString("; there is ")
		list(&text, s.infos, func(i source.Info) string {
			return fmt.Sprintf("%q (%s, %s)", shorten(i.Name), i.Kind,
				i.Path)
		})
	}
	if len(s.denied) > 0 {
		text.WriteString("; no permission to read ")
		list(&text, s.denied, func(path string) string { return path })
		text.WriteString(": " + permissionRemedy)
	}
	return text.String()
}

// list writes some of the elements, and how many more there are.
func list[T any](to *strings.Builder, all []T, text func(T) string) {
	for i, one := range all {
		if i == maxListed {
			fmt.Fprintf(to, " and %d more", len(all)-i)
			return
		}
		if i > 0 {
			to.WriteString(", ")
		}
		to.WriteString(text(one))
	}
}

func shorten(s string) string {
	if len(s) <= maxName {
		return s
	}
	return strings.ToValidUTF8(s[:maxName], "") + "…"
}
