// Package conceal keeps passwords out of the list of processes, where every user of the machine sees the command lines
// of all. What is given by flags that may hold one moves to the environment, which only the same user can read.
package conceal

import (
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/waldo-robot/waldo/pkg/settings"
)

// Flags runs the program again, without the flags named in its command line and with their values in the environment,
// under the names that package settings gives them, which also learns that they were flags. It returns if there is
// nothing to hide, or if the program cannot be run again.
func Flags(names ...string) {
	args, environ := move(os.Args, os.Environ(), names)
	if len(args) == len(os.Args) {
		return
	}
	if self, err := os.Executable(); err == nil {
		_ = syscall.Exec(self, args, environ) // otherwise the program goes on as it was started
	}
}

// move takes flags out of args, and adds them to environ. The last value of a flag counts, as in package flag.
func move(args, environ, names []string) (left, env []string) {
	env = slices.Clone(environ)
	var moved []string
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if i == 0 || !strings.HasPrefix(args[i], "-") || !slices.Contains(names, name) {
			left = append(left, args[i])
			continue
		}
		if !given {
			if i++; i == len(args) {
				return append(left, "--"+name), env // its value is missing: let the program say so
			}
			value = args[i]
		}
		env = set(env, "WALDO_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), value)
		moved = append(moved, name)
	}
	if len(moved) > 0 {
		env = set(env, settings.MovedFlags, strings.Join(moved, ","))
	}
	return left, env
}

func set(environ []string, name, value string) []string {
	environ = slices.DeleteFunc(environ, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	return append(environ, name+"="+value)
}
