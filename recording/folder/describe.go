package folder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/recording/internal/files"
	"github.com/waldo-robot/waldo/recording/write"
)

// Describe returns what is in one file, whatever its name and whoever recorded it. What is wrong with a file is told in
// the result; only one that is not there, or no file, fails.
func Describe(path string) (*recorderv1.Recording, error) {
	about, err := os.Stat(path)
	if err != nil {
		return nil, err // it names the file
	}
	if !about.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	s := summarize(path)
	name := filepath.Base(path)
	open := write.Part(name) && files.InUse(path)
	if open {
		name, s.problem = strings.TrimSuffix(name, write.PartSuffix), "" // its end is being written
	}
	r := &recorderv1.Recording{
		Name: name, Files: []string{name}, SizeBytes: about.Size(), MessageCount: int64(s.messages), Devices: s.devices,
		Marks: s.marks, Problem: s.problem, Open: open,
	}
	if s.messages > 0 {
		r.StartTime, r.Duration = timestamppb.New(s.first), durationpb.New(max(s.last.Sub(s.first), 0))
	}
	return r, nil
}
