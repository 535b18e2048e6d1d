package folder

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/recording/write"
)

// NameOf reads the name of a file at a path, which may be being written.
func NameOf(path string) (Name, bool) {
	return Parse(strings.TrimSuffix(filepath.Base(path), write.PartSuffix))
}

// Whole returns paths with all files of a recording in place of its first file, if that is the only one of it among
// them: it stands for all. The others are those beside it, also one that is being written.
func Whole(paths []string) (all []string, err error) {
	alone := map[Name]int{}
	for _, path := range paths {
		if n, ok := NameOf(path); ok {
			alone[n.Recording()]++
		}
	}
	for _, path := range paths {
		n, ok := NameOf(path)
		if !ok || n.Number != 1 || alone[n.Recording()] != 1 {
			all = append(all, path)
			continue
		}
		dir := filepath.Dir(path)
		g, err := New(dir).group(n.Recording())
		if err != nil {
			return nil, err
		}
		all = append(all, path)
		for _, e := range g.files {
			if e.name.Number != 1 {
				all = append(all, filepath.Join(dir, e.onDisk))
			}
		}
	}
	return all, nil
}

// maxMissing bounds how many missing files are named.
const maxMissing = 5

// Missing returns the names of files that are missing between the files of a recording, at most five.
func Missing(paths []string) (missing []string) {
	numbers := map[Name][]int{}
	for _, path := range paths {
		if n, ok := NameOf(path); ok {
			numbers[n.Recording()] = append(numbers[n.Recording()], n.Number)
		}
	}
	for of, there := range numbers {
		slices.Sort(there)
		for i, number := range there[1:] {
			for of.Number = there[i] + 1; of.Number < number && len(missing) < maxMissing; of.Number++ {
				missing = append(missing, of.String())
			}
		}
	}
	slices.Sort(missing)
	return missing
}
