// Package commit checks out a commit beside the repository, and builds and runs its benchmarks.
package commit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/tools/benchcompare/compare"
)

// grace is how long a program may continue after it was told to stop.
const grace = 2 * time.Second

// Checkout is a commit in its own folder.
type Checkout struct {
	Hash     string // of the commit, shortened
	Subject  string // of the commit
	repo     string
	folder   string            // its worktree
	programs string            // where test programs are built
	built    map[string]string // test programs by package
}

// Open checks out a commit of the repository in a subfolder of scratch. Close removes it.
func Open(ctx context.Context, repo, name, scratch string) (*Checkout, error) {
	line, err := output(ctx, repo, "git", "log", "-1", "--format=%h %s", "--end-of-options", name, "--")
	if err != nil {
		return nil, fmt.Errorf("%q is not a commit of this repository: %w", name, err)
	}
	hash, subject, _ := strings.Cut(strings.TrimSpace(line), " ")
	c := &Checkout{Hash: hash, Subject: subject, repo: repo, built: make(map[string]string)}
	if c.folder, err = os.MkdirTemp(scratch, "tree-"); err != nil {
		return nil, err
	}
	if c.programs, err = os.MkdirTemp(scratch, "programs-"); err != nil {
		return nil, err
	}
	if _, err = output(ctx, repo, "git", "worktree", "add", "--detach", c.folder, hash); err != nil {
		return nil, fmt.Errorf("check out %s: %w", hash, err)
	}
	return c, nil
}

// Close removes the folder of the commit from the disk and from git's list of worktrees.
func (c *Checkout) Close() error {
	_, err := output(context.Background(), c.repo, "git", "worktree", "remove", "--force", c.folder)
	return err
}

// Packages returns the folders with benchmarks, relative to the top of the repository, except those in the folders to
// skip.
func (c *Checkout) Packages(skip []string) ([]string, error) {
	var packages []string
	err := filepath.WalkDir(c.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(c.folder, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			hidden := relative != "." && strings.HasPrefix(entry.Name(), ".")
			if hidden || entry.Name() == "testdata" || entry.Name() == "node_modules" || slices.Contains(skip, relative) {
				return filepath.SkipDir
			}
			return nil
		}
		found, err := hasBenchmark(path)
		if folder := filepath.Dir(relative); found && !slices.Contains(packages, folder) {
			packages = append(packages, folder)
		}
		return err
	})
	return packages, err
}

func hasBenchmark(file string) (bool, error) {
	if !strings.HasSuffix(file, "_test.go") {
		return false, nil
	}
	text, err := os.ReadFile(file)
	return bytes.Contains(text, []byte("\nfunc Benchmark")), err
}

// Build builds the test program of a package and returns its benchmark functions.
func (c *Checkout) Build(ctx context.Context, pkg string) ([]compare.Function, error) {
	program := filepath.Join(c.programs, strings.ReplaceAll(pkg, "/", "_")+".test")
	if _, err := output(ctx, filepath.Join(c.folder, pkg), "go", "test", "-c", "-o", program, "."); err != nil {
		return nil, fmt.Errorf("build the tests of %s at %s: %w", pkg, c.Hash, err)
	}
	c.built[pkg] = program
	list, err := output(ctx, filepath.Join(c.folder, pkg), program, "-test.list", "^Benchmark")
	if err != nil {
		return nil, fmt.Errorf("list the benchmarks of %s at %s: %w", pkg, c.Hash, err)
	}
	var functions []compare.Function
	for lines := bufio.NewScanner(strings.NewReader(list)); lines.Scan(); {
		functions = append(functions, compare.Function{Package: pkg, Name: lines.Text()})
	}
	return functions, nil
}

// Run runs one function once and returns its output. Sub is a pattern for its sub-benchmarks, or empty.
func (c *Checkout) Run(ctx context.Context, f compare.Function, sub, benchtime string) (string, error) {
	pattern := "^" + f.Name + "$"
	if sub != "" {
		pattern += "/" + sub
	}
	text, err := output(ctx, filepath.Join(c.folder, f.Package), c.built[f.Package],
		"-test.run", "^$", "-test.bench", pattern, "-test.benchtime", benchtime, "-test.benchmem", "-test.timeout", "0")
	if err != nil {
		return "", fmt.Errorf("%v at %s: %w", f, c.Hash, err)
	}
	return text, nil
}

// output runs a program in a folder and returns its standard output. An error contains the end of all its output.
func output(ctx context.Context, folder, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.WaitDelay = folder, grace
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.String(), nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", errors.New("stopped because it ran out of time")
	}
	return "", fmt.Errorf("%w: %s", err, tail(stderr.String()+stdout.String()))
}

// tail is the last lines of a text.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "; ")
}
