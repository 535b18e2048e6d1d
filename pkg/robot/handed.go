package robot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
)

// HandedFD is the environment variable by which a launcher hands its processes the robot file as the launcher has read
// it: the number of an open file descriptor. So all of them run the same robot, whatever happens to the file meanwhile.
const HandedFD = "WALDO_ROBOT_FD"

// CheckedFile is the environment variable with the path of a copy of the robot file, in the state in which `waldo
// install` has checked it. The units of a robot read the copy, so that a half-edited file cannot harm a process that
// restarts.
const CheckedFile = "WALDO_ROBOT_CHECKED"

// LoadHanded is [Load] for a process that a launcher or a unit may have started: what the launcher hands over, or the
// checked copy, comes before what the file says by now. The path still names the file in errors.
func LoadHanded(path string, environ func(string) string) (*Robot, error) {
	if given := environ(HandedFD); given != "" {
		return loadFD(path, given)
	}
	if checked := environ(CheckedFile); checked != "" {
		data, err := readFile(checked)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("robot file: there is no checked copy %s of %s: run waldo install", checked, path)
		}
		if err != nil {
			return nil, fmt.Errorf("robot file: %w", err)
		}
		return Parse(path, data)
	}
	return Load(path)
}

func loadFD(path, given string) (*Robot, error) {
	fd, err := strconv.ParseUint(given, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not the number of a file descriptor: leave it to waldo up", HandedFD,
			shorten(given))
	}
	f := os.NewFile(uintptr(fd), path)
	if f == nil {
		return nil, fmt.Errorf("%s: %d is not open: leave it to waldo up", HandedFD, fd)
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", HandedFD, err)
	}
	return Parse(path, data)
}
