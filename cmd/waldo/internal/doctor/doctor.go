// Package doctor finds out what is wrong with a machine on which a robot runs, or should run: what a person looks at
// who was called because the robot does not work.
//
// A [System] is what it looks at: files below a folder, and a few functions for what is not in files. So tests give it
// a machine that is ill in a known way. Each check is a function from a System to findings; [Examine] runs them all, in
// an order in which causes come before their effects. Nothing is changed, and no hardware is opened.
package doctor

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// Level says how bad a finding is.
type Level string

const (
	// Error is for what keeps the robot, or a part of it, from working.
	Error Level = "error"
	// Warning is for what works, and will not for long, or not well.
	Warning Level = "warning"
)

// Finding is something that is wrong.
type Finding struct {
	// Check is what was looked at, for example "clock".
	Check string `json:"check"`
	Level Level  `json:"level"`
	// Problem says what is wrong, and Remedy what helps.
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"`
}

// System is a machine. All functions must be set.
type System struct {
	// Root is the folder with its files; "/" is the machine itself.
	Root string
	// Robot is what runs there; nil if there is no robot.yaml, or a wrong one, which RobotErr says then.
	Robot    *robot.Robot
	RobotErr error
	// Units tells that it runs as units of systemd, as the user "waldo"; otherwise User runs it.
	Units bool
	User  string
	// State is the folder where the robot keeps its state, as a path of the machine.
	State string
	// Token is the secret of the robot; it decides where processes listen.
	Token string

	// Check has programs check the file.
	Check func(ctx context.Context) error
	// Find returns the program of a kind of device, or an error with the remedy.
	Find func(kind string) (string, error)
	// Version asks a program for its version.
	Version func(ctx context.Context, program string) (string, error)
	// Listen tries to listen on an address, and fails if that is in use.
	Listen func(address string) error
	// Running lists the processes of the robot on the bus; ok is false if there is no bus.
	Running func(ctx context.Context) (list []Process, ok bool)
	// Failed lists units of the robot that do not run, and why.
	Failed func(ctx context.Context) map[string]string
	// Now is the time of its clock, and Synchronized tells whether that was set by others.
	Now          func() time.Time
	Synchronized func() bool
	// Space returns the free and the whole space of the disk of a path, in bytes.
	Space func(path string) (free, whole uint64, err error)
	// OpenFiles is how many files a process may open.
	OpenFiles func() uint64
}

// Process is a process of a robot that runs.
type Process struct {
	Name, Kind, Version string
}

// path is a file of the machine as this process names it.
func (s *System) path(file string) string { return filepath.Join(s.Root, file) }

// read returns the text of a file, "" if it cannot be read.
func (s *System) read(file string) string {
	data, err := os.ReadFile(s.path(file))
	if err != nil {
		return ""
	}
	return string(data)
}

// check looks at one matter.
type check struct {
	name string
	look func(context.Context, *System, report)
}

// report notes a finding.
type report func(level Level, remedy, problem string)

var checks = []check{
	{"robot.yaml", checkFile},
	{"programs", checkPrograms},
	{"versions", checkVersions},
	{"clock", checkClock},
	{"disk", checkDisk},
	{"state", checkState},
	{"secrets", checkSecrets},
	{"bus", checkConfined},
	{"groups", checkGroups},
	{"devices", checkDevices},
	{"ports", checkPorts},
	{"limits", checkLimits},
	{"certificates", checkCertificates},
	{"units", checkUnits},
}

// Names lists what is looked at.
func Names() []string {
	names := make([]string, len(checks))
	for i, c := range checks {
		names[i] = c.name
	}
	return names
}

// Examine returns all that is wrong.
func Examine(ctx context.Context, s *System) []Finding {
	found := []Finding{} // for JSON
	for _, c := range checks {
		c.look(ctx, s, func(level Level, remedy, problem string) {
			found = append(found, Finding{c.name, level, problem, remedy})
		})
	}
	return found
}
