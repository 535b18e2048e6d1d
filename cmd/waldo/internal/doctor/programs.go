package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/version"
)

const gateway = "gateway"

// checkFile is about robot.yaml itself.
func checkFile(ctx context.Context, s *System, report report) {
	err := s.RobotErr
	if s.Robot != nil {
		err = s.Check(ctx)
	}
	if err != nil {
		report(Error, "correct the file", err.Error())
	}
}

// devices are those of the robot, if that is known.
func (s *System) devices() []robot.Device {
	if s.Robot == nil {
		return nil
	}
	return s.Robot.Devices
}

// kinds lists the kinds that the robot needs programs for, each once.
func (s *System) kinds() (kinds []string) {
	if s.Robot == nil {
		return nil
	}
	for i := range s.Robot.Devices {
		if kind := s.Robot.Devices[i].Kind; !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return append(kinds, gateway)
}

// checkPrograms is about missing packages.
func checkPrograms(_ context.Context, s *System, report report) {
	for _, kind := range s.kinds() {
		if _, err := s.Find(kind); err != nil {
			report(Error, fmt.Sprintf("apt install waldo-%s, or put the program beside waldo", kind), err.Error())
		}
	}
}

// checkVersions is about programs and processes that are not of one release, and processes whose program was replaced.
func checkVersions(ctx context.Context, s *System, report report) {
	for _, kind := range s.kinds() {
		program, err := s.Find(kind)
		if err != nil {
			continue // that is another finding
		}
		switch v, err := s.Version(ctx, program); {
		case err != nil:
			report(Error, "install it again; `"+program+" --version` must work", fmt.Sprintf("%s cannot run: %v", program, err))
		case v != version.Version && isOwn(kind):
			report(Warning, "install all packages of Waldo in one version",
				fmt.Sprintf("%s is version %s, waldo is %s", program, v, version.Version))
		}
	}
	running, _ := s.Running(ctx)
	for _, p := range running {
		if p.Version != version.Version && isOwn(p.Kind) {
			report(Warning, "waldo restart "+p.Name,
				fmt.Sprintf("%s runs version %s, waldo is %s", p.Name, p.Version, version.Version))
		}
	}
	for _, p := range s.replaced() {
		report(Warning, "restart it: an upgrade has put another program in its place", p)
	}
}

// own are the kinds whose programs have the version of waldo.
var own = []string{"audio", "camera", gateway, "input", "peer", "player", "recorder", "replay", "rtsp-ingest",
	"serial", "uplink"}

func isOwn(kind string) bool { return slices.Contains(own, kind) }

// replaced lists processes of Waldo whose program is not the one on the disk any more.
func (s *System) replaced() (list []string) {
	links, _ := filepath.Glob(s.path("/proc/[0-9]*/exe")) // the pattern is valid
	for _, exe := range links {
		to, err := os.Readlink(exe)
		program, gone := strings.CutSuffix(to, " (deleted)")
		if name := filepath.Base(program); err != nil || !gone || name != "waldo" && !strings.HasPrefix(name, "waldo-") {
			continue
		}
		list = append(list, fmt.Sprintf("process %s runs a %s that is not there any more",
			filepath.Base(filepath.Dir(exe)), program))
	}
	return list
}

// checkUnits is about units that systemd does not run.
func checkUnits(ctx context.Context, s *System, report report) {
	if !s.Units {
		return
	}
	failed := s.Failed(ctx)
	for _, name := range sorted(failed) {
		report(Error, "waldo restart "+name, fmt.Sprintf("%s does not run: %s", name, failed[name]))
	}
	if installed, err := os.ReadFile(s.path("/etc/waldo/units/robot.yaml")); s.Robot != nil &&
		(err == nil && string(installed) != string(s.Robot.Text) || errors.Is(err, os.ErrNotExist)) {
		report(Warning, "waldo reload", "robot.yaml has changed since its units were installed")
	}
}
