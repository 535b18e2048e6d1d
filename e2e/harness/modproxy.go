package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// modulePrefix is the common prefix of the paths of Waldo's modules.
const modulePrefix = "github.com/waldo-robot/waldo/"

// ModuleProxy publishes modules of this tree under a version, in a folder that serves as a module proxy, and returns
// an environment in which the go command sees nothing else of this tree: no workspace, and no module cache with
// another state of it.
func ModuleProxy(tb testing.TB, version string, modules ...string) []string {
	tb.Helper()
	proxy, cache := tb.TempDir(), tb.TempDir()
	for _, name := range modules {
		if err := publish(proxy, module.Version{Path: modulePrefix + name, Version: version},
			filepath.Join("..", name)); err != nil {
			tb.Fatalf("publish %s: %v", name, err)
		}
	}
	known := strings.TrimSpace(Run(tb, nil, "go", "env", "GOMODCACHE"))
	others := strings.TrimSpace(Run(tb, nil, "go", "env", "GOPROXY"))
	return []string{
		"GOWORK=off", "GOFLAGS=-mod=mod -modcacherw", "GOMODCACHE=" + cache, "GONOSUMDB=" + modulePrefix + "*",
		fmt.Sprintf("GOPROXY=file://%s,file://%s/cache/download,%s", proxy, known, others),
	}
}

// publish writes the files that a proxy serves for one version of a module.
func publish(proxy string, m module.Version, folder string) error {
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	at := filepath.Join(proxy, escaped, "@v")
	if err := os.MkdirAll(at, 0o700); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": m.Version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"list": []byte(m.Version + "\n"), m.Version + ".info": info, m.Version +
		".mod": mod} {
		if err := os.WriteFile(filepath.Join(at, name), data, 0o600); err != nil {
			return err
		}
	}
	file, err := os.Create(filepath.Join(at, m.Version+".zip"))
	if err != nil {
		return err
	}
	if err := zip.CreateFromDir(file, m, folder); err != nil {
		_ = file.Close() // the first error is the one that counts
		return err
	}
	return file.Close()
}
