package main

import (
	"fmt"
	"runtime"

	"github.com/waldo-robot/waldo/pkg/version"
)

type versionCommand struct{}

// Run prints version, commit, Go version and platform.
func (*versionCommand) Run(c console) error {
	commit := version.Commit()
	if commit == "" {
		commit = "commit unknown"
	}
	_, err := fmt.Fprintf(c.out, "waldo %s (%s, %s, %s/%s)\n", version.Version, commit, runtime.Version(),
		runtime.GOOS, runtime.GOARCH)
	return err
}
