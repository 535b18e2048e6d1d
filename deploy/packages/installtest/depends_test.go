package installtest

import (
	"debug/elf"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A package depends on exactly the packages of the libraries that its program is linked with, beside those of Waldo and
// of its scripts. The machine that has built it knows which these are.
func TestDependsOnTheLibrariesOfItsProgram(t *testing.T) {
	scripts := map[string]bool{"passwd": true, "systemd | systemd-standalone-sysusers": true}
	for _, deb := range debs(t) {
		name := strings.TrimSpace(run(t, "dpkg-deb", "-f", deb, "Package"))
		t.Run(name, func(t *testing.T) {
			var declared []string
			for depend := range strings.SplitSeq(strings.TrimSpace(run(t, "dpkg-deb", "-f", deb, "Depends")), ", ") {
				depend, _, _ = strings.Cut(depend, " (")
				if !strings.HasPrefix(depend, "waldo") && !scripts[depend] {
					declared = append(declared, depend)
				}
			}
			slices.Sort(declared)
			if needed := libraries(t, deb, "usr/bin/"+name); !slices.Equal(declared, needed) {
				t.Errorf("it depends on %q, and its program is linked with %q: change depends in deploy/packages/%s.yaml",
					declared, needed, name)
			}
		})
	}
}

// libraries returns the packages of the libraries that a program in a package is linked with.
func libraries(t *testing.T, deb, program string) []string {
	t.Helper()
	folder := t.TempDir()
	run(t, "dpkg-deb", "--extract", deb, folder)
	file, err := elf.Open(filepath.Join(folder, program))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	names, err := file.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	return owners(t, names)
}

// owners returns the packages that shared libraries of this machine belong to, sorted.
func owners(t *testing.T, names []string) []string {
	t.Helper()
	var paths []string
	for line := range strings.Lines(run(t, "ldconfig", "--print-cache")) {
		name, path, found := strings.Cut(strings.TrimSpace(line), " => ")
		if name, _, _ = strings.Cut(name, " "); found && slices.Contains(names, name) {
			path = strings.TrimPrefix(path, "/usr")
			paths = append(paths, path, "/usr"+path) // packages know some by the one, some by the other
		}
	}
	// It fails for the path that no package knows.
	out, _ := exec.Command("dpkg-query", append([]string{"--search"}, paths...)...).Output()
	packages := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		owner, _, _ := strings.Cut(line, ":")
		packages[owner] = true
	}
	if len(packages) == 0 && len(names) > 0 {
		t.Fatalf("no package of this machine has the libraries %q", names)
	}
	return slices.Sorted(maps.Keys(packages))
}
