package doctor

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/version"
)

// checkClock is about times that are wrong: of pictures, logs, certificates and tokens.
func checkClock(_ context.Context, s *System, report report) {
	now := s.Now()
	switch {
	case now.Before(version.Day):
		report(Error,
			"timedatectl set-ntp true, or a clock with a battery; the robot drives without, but tokens that end, and "+
				"certificates of others, are not valid", fmt.Sprintf("the clock shows %s, before this version of Waldo was made",
				now.UTC().Format(time.DateTime)))
	case !s.Synchronized():
		report(Warning, "timedatectl set-ntp true, or a time server within reach",
			"nothing sets the clock: times of pictures cannot be compared with those of other machines")
	}
}

const (
	// little is the space below which logs and state may fail soon, enough that below which they fail.
	little = 200 << 20
	none   = 10 << 20
)

// checkDisk is about room for state and logs.
func checkDisk(_ context.Context, s *System, report report) {
	seen := map[[2]uint64]bool{}
	for _, folder := range []string{s.State, "/var/log", "/tmp", "/etc"} {
		free, whole, err := s.Space(s.existing(folder))
		if err != nil || seen[[2]uint64{free, whole}] { // not a disk, or the same one
			continue
		}
		seen[[2]uint64{free, whole}] = true
		text := fmt.Sprintf("the disk of %s has %d MB left of %d MB", folder, free>>20, whole>>20)
		remedy := "make room: journalctl --vacuum-size=200M, apt clean, and look for recordings"
		switch {
		case free < none:
			report(Error, remedy+"; until then no e-stop survives a restart", text)
		case free < little:
			report(Warning, remedy, text)
		}
	}
}

// existing is a folder, or the nearest above it that is there.
func (s *System) existing(folder string) string {
	for folder != "/" && folder != "." && folder != "" {
		if _, err := os.Stat(s.path(folder)); err == nil {
			break
		}
		folder = folder[:max(1, strings.LastIndex(folder, "/"))]
	}
	return s.path(folder)
}

// limit is a number of the kernel that a robot may outgrow.
type limit struct {
	file  string
	least uint64
	why   string
}

var kernelLimits = []limit{
	{"/proc/sys/fs/inotify/max_user_instances", 64, "devices notice hardware, and files, by inotify"},
	{"/proc/sys/fs/inotify/max_user_watches", 8192, "devices notice hardware, and files, by inotify"},
	{"/proc/sys/net/core/rmem_max", 1 << 20,
		"the gateway receives media with a buffer of 1 MiB; with less, packets are lost"},
	{"/proc/sys/net/core/wmem_max", 2 << 20,
		"the gateway sends key frames with a buffer of 2 MiB; with less, packets are lost"},
}

// leastFiles is what a gateway with 200 viewers needs, and as much again.
const leastFiles = 1024

// checkLimits is about limits of the kernel.
func checkLimits(_ context.Context, s *System, report report) {
	for _, l := range kernelLimits {
		value, err := strconv.ParseUint(strings.TrimSpace(s.read(l.file)), 10, 64)
		if err != nil || value >= l.least {
			continue
		}
		key := strings.ReplaceAll(strings.TrimPrefix(l.file, "/proc/sys/"), "/", ".")
		report(Warning, fmt.Sprintf("echo %s=%d > /etc/sysctl.d/60-waldo.conf && sysctl --system", key, l.least),
			fmt.Sprintf("%s is %d: %s", key, value, l.why))
	}
	if files := s.OpenFiles(); !s.Units && files < leastFiles {
		report(Warning, "ulimit -n 65536, or run the robot as units",
			fmt.Sprintf("a process may open %d files only: each viewer takes two", files))
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
