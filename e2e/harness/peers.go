package harness

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Programs of others that tests run and benchmarks compare with, and what they are built with.
const (
	mediamtxModule, mediamtxVersion = "github.com/bluenviron/mediamtx", "v1.20.1"
	go2rtcModule, go2rtcVersion     = "github.com/AlexxIT/go2rtc", "v1.9.14"
	hlsVersion                      = "1.7.0" // of hls.js, which is a part of mediamtx
)

// Build builds a program of this tree, for the time of the test.
func Build(tb testing.TB, module, pkg string) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), filepath.Base(pkg))
	build(tb, filepath.Join("..", module), nil, "go", "build", "-o", path, pkg)
	return path
}

// BuildAt builds a program of this tree as it was at a commit. It is kept under build/.
func BuildAt(tb testing.TB, commit, module, pkg string) (path string) {
	tb.Helper()
	return kept(tb, filepath.Base(pkg)+"-"+commit, func(path string) {
		folder := tb.TempDir()
		archive := filepath.Join(folder, "tree.tar")
		build(tb, "..", nil, "git", "archive", "-o", archive, commit)
		build(tb, folder, nil, "tar", "-xf", archive)
		build(tb, filepath.Join(folder, module), nil, "go", "build", "-o", path, pkg)
	})
}

// Mediamtx builds mediamtx from the module proxy. It is kept under build/, like Go2rtc.
func Mediamtx(tb testing.TB) (path string) {
	tb.Helper()
	return kept(tb, "mediamtx-"+mediamtxVersion, func(path string) {
		source := filepath.Join(tb.TempDir(), "mediamtx")
		build(tb, ".", outside, "go", "mod", "download", mediamtxModule+"@"+mediamtxVersion)
		cache := strings.TrimSpace(Run(tb, nil, "go", "env", "GOMODCACHE"))
		build(tb, ".", nil, "cp", "-r", "--no-preserve=mode",
			filepath.Join(cache, mediamtxModule+"@"+mediamtxVersion), source)
		// What its own build fetches from elsewhere.
		write(tb, filepath.Join(source, "internal/core/VERSION"), mediamtxVersion)
		hls := tb.TempDir()
		build(tb, hls, nil, "npm", "install", "--no-save", "--ignore-scripts", "--silent", "hls.js@"+hlsVersion)
		build(tb, source, nil, "cp", filepath.Join(hls, "node_modules/hls.js/dist/hls.min.js"), "internal/servers/hls/")
		build(tb, source, outside, "go", "build", "-o", path, ".")
	})
}

// Go2rtc builds go2rtc from the module proxy.
func Go2rtc(tb testing.TB) (path string) {
	tb.Helper()
	return kept(tb, "go2rtc-"+go2rtcVersion, func(path string) {
		source := tb.TempDir()
		write(tb, filepath.Join(source, "go.mod"),
			"module peers\n\ngo 1.26.0\n\nrequire "+go2rtcModule+" "+go2rtcVersion+"\n")
		build(tb, source, outside, "go", "build", "-o", path, go2rtcModule)
	})
}

// NATSServer builds the program nats-server in the version that Waldo is linked with. It is kept under build/, like
// Go2rtc.
func NATSServer(tb testing.TB) (path string) {
	tb.Helper()
	const module = "github.com/nats-io/nats-server/v2"
	version := strings.TrimSpace(Run(tb, nil, "go", "list", "-m", "-f", "{{.Version}}", module))
	return kept(tb, "nats-server-"+version, func(path string) { build(tb, ".", nil, "go", "build", "-o", path, module) })
}

// outside makes the go command see nothing of this tree.
var outside = []string{"GOWORK=off", "GOFLAGS=-mod=mod", "CGO_ENABLED=0"}

// kept returns the path of a program under build/, which is made if it is not there.
func kept(tb testing.TB, name string, program func(path string)) string {
	tb.Helper()
	path, err := filepath.Abs(filepath.Join("../build/peers", name))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		program(path)
	}
	return path
}

func write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
}

func build(tb testing.TB, folder string, env []string, program string, args ...string) {
	tb.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, cmp.Or(string(out), "it printed nothing"))
	}
}
