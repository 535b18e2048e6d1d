package robot

import (
	"fmt"
	"io"
	"os"
	"strconv"
)

// HandedFD is the environment variable by which a launcher hands its processes the robot file as the launcher has read
// it: the number of an open file descriptor. So all of them run the same robot, whatever happens to the file meanwhile.
const HandedFD = "WALDO_ROBOT_FD"

// LoadHanded is [Load] for a process that a launcher may have started: what the launcher hands over comes before what
// the file says by now. The path still names the file in errors.
func LoadHanded(path string, environ func(string) string) (*Robot, error) {
	given := environ(HandedFD)
	if given == "" {
		return Load(path)
	}
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
