package cloudtest_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	hubName  = "hub.example.org"
	publicIP = "203.0.113.7"
	imageTag = "1.2.3"
)

// workload is one container of the cloud side, whichever file describes it.
type workload struct {
	image     string // without registry and tag
	arguments []string
	readOnly  bool // of the root file system
	confined  bool // no capabilities, and none to be gained
	mounts    []mount
	ports     []int // TCP ports of the container that say that it serves
}

// mount is a file or folder of the host in a container.
type mount struct {
	source, target string
	readOnly       bool
}

// cloudFile returns the path of a file of the repository's folder cloud.
func cloudFile(name string) string { return filepath.Join("..", "cloud", name) }

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
