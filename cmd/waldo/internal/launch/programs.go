package launch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// programPrefix and the kind of a device make the name of its program.
	programPrefix = "waldo-"
	gatewayKind   = "gateway"
	// besideOrPATH is where InstalledPrograms looks.
	besideOrPATH = "beside waldo or in PATH"
)

// Programs finds Waldo's programs. It is a list of folders; the first that contains a program wins.
type Programs []string

// InstalledPrograms looks beside the running program and then in PATH.
func InstalledPrograms() (Programs, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the folder of waldo: %w", err)
	}
	if resolved, err := filepath.EvalSymlinks(self); err == nil {
		self = resolved
	}
	return append(Programs{filepath.Dir(self)}, filepath.SplitList(os.Getenv("PATH"))...), nil
}

// Find returns the path of the program for a kind of device. The error names the kinds that have programs.
func (p Programs) Find(kind string) (string, error) { return p.find(kind, besideOrPATH) }

// find is Find for programs of which the error says where they should be.
func (p Programs) find(kind, where string) (string, error) {
	for _, dir := range p {
		path := filepath.Join(dir, programPrefix+kind)
		if executable(path) {
			return path, nil
		}
	}
	found := "none at all"
	if kinds := p.Kinds(); len(kinds) > 0 {
		found = strings.Join(kinds, ", ")
	}
	return "", fmt.Errorf("there is no program %s%s %s%s; there are programs for: %s", programPrefix, kind, where,
		ofPackage(kind), found)
}

// packaged are the kinds of devices whose programs Waldo's packages have, and the gateway.
var packaged = []string{"audio", "camera", gatewayKind, "input", "peer", "player", "recorder", "replay", "rtsp-ingest",
	"serial", "uplink"}

// ofPackage says where a program comes from.
func ofPackage(kind string) string {
	if !slices.Contains(packaged, kind) {
		return ""
	}
	return fmt.Sprintf(" (it is in the package %s%s)", programPrefix, kind)
}

// Kinds lists the kinds of devices that have programs.
func (p Programs) Kinds() []string {
	var kinds []string
	for _, dir := range p {
		paths, err := filepath.Glob(filepath.Join(dir, programPrefix+"*"))
		if errors.Is(err, filepath.ErrBadPattern) {
			continue // a folder whose name is a pattern cannot be listed
		}
		for _, path := range paths {
			kind := strings.TrimPrefix(filepath.Base(path), programPrefix)
			if kind != gatewayKind && executable(path) {
				kinds = append(kinds, kind)
			}
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
