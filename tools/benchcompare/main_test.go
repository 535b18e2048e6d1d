package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ args, problem string }{
		{"abc", ""},
		{"abc def", ""},
		{"-count 6 -ratio 1 -bench X/y -packages pkg -renamed a=b abc", ""},
		{"", "name the commit"},
		{"a b c", "no more than one other"},
		{"-count 5 a", "-count 5 is too small"},
		{"-ratio 0.9 a", "-ratio 0.9 is too small"},
		{"-ratio NaN a", "-ratio NaN is too small"},
		{"-bench ( a", "-bench: "},
		{"-packages ( a", "-packages: "},
		{"-renamed a a", "is not old=new"},
		{"-unknown a", "flag provided but not defined"},
	} {
		_, err := parse(strings.Fields(c.args), io.Discard)
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%q: %v", c.args, err)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%q: got error %v, want one with %q", c.args, err, c.problem)
		}
	}
}

// repository is a test repository, with a commit for each set of files.
func repository(t *testing.T, commits ...map[string]string) string {
	t.Helper()
	repo := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.org"}, args...)...)
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	for _, files := range commits {
		git("rm", "-rfq", "--ignore-unmatch", ".")
		for name, text := range files {
			path := filepath.Join(repo, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		git("add", ".")
		git("commit", "-q", "-m", "a commit")
	}
	return repo
}

const mod = "module example.org/x\n\ngo 1.26.0\n"

// benchmark is a test file with one benchmark, which allocates the given number of times in each operation.
func benchmark(name string, allocations string) string {
	return `package x
import "testing"
var sink *[64]byte
func Benchmark` + name + `(b *testing.B) {
	b.Run("sub", func(b *testing.B) { for b.Loop() { for range ` + allocations + ` { sink = new([64]byte) } } })
}
`
}

func TestRun(t *testing.T) {
	const failing = "package x\nimport \"testing\"\nfunc BenchmarkX(b *testing.B) { b.Fatal(\"no cable\") }\n"
	for _, c := range []struct {
		name   string
		before map[string]string
		after  map[string]string
		want   error  // or
		fails  string // a part of another error
		prints []string
	}{
		{name: "worse, in a package that has moved",
			before: map[string]string{"go.mod": mod, "a/x_test.go": benchmark("X", "1"), "b/x_test.go": benchmark("Old", "1")},
			after:  map[string]string{"go.mod": mod, "c/x_test.go": benchmark("X", "2"), "b/x_test.go": benchmark("New", "1")},
			want:   errWorse,
			prints: []string{`(?m)^c\.X \(was a\.X\)$`,
				`X/sub.* allocs/op +1 +±0% +2 +±0% +x2\.00 +WORSE`,
				`worse: c\.X/sub\S* allocs/op`, `only before: b\.Old`, `only after: b\.New`, `GOMAXPROCS \d`}},
		{name: "not worse",
			before: map[string]string{"go.mod": mod, "x_test.go": benchmark("X", "9")},
			after:  map[string]string{"go.mod": mod, "x_test.go": benchmark("X", "1"), "skipped/x_test.go": failing},
			prints: []string{`allocs/op +9 +±0% +1 +±0% +x0\.11 +better`, `1 benchmarks, 3 figures`}},
		{name: "a benchmark that fails",
			before: map[string]string{"go.mod": mod, "x_test.go": benchmark("X", "1")},
			after:  map[string]string{"go.mod": mod, "x_test.go": failing},
			fails:  "not everything could be compared", prints: []string{`not compared: .*X at .*no cable`}},
		{name: "a test that does not build",
			before: map[string]string{"go.mod": mod, "x_test.go": benchmark("X", "1")},
			after:  map[string]string{"go.mod": mod, "x_test.go": benchmark("X", "missing")},
			fails:  "not everything could be compared",
			prints: []string{`not compared: build the tests of .*undefined: missing`, `only before: \.\.X`}},
		{name: "nothing",
			before: map[string]string{"go.mod": mod},
			after:  map[string]string{"go.mod": mod, "x_test.go": benchmark("X", "1")},
			fails:  "nothing was compared"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("GOFLAGS", "-mod=mod")
			t.Setenv("GOWORK", "off")
			repo := repository(t, c.before, c.after)
			// Allocations are the same in each run; the test ignores times.
			o, err := parse([]string{"-C", repo, "-count", "6", "-benchtime", "100x", "-ratio", "1.5",
				"-skip", "skipped", "HEAD~1"}, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = run(t.Context(), o, &out)
			slow := c.want == nil && errors.Is(err, errWorse) // the machine was busy
			switch {
			case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
				t.Errorf("got error %v, want one with %q", err, c.fails)
			case c.fails == "" && !errors.Is(err, c.want) && !slow:
				t.Errorf("got error %v, want %v", err, c.want)
			}
			for _, pattern := range c.prints {
				if !regexp.MustCompile(pattern).MatchString(out.String()) {
					t.Errorf("%s is missing from\n%s", pattern, out.String())
				}
			}
			cmd := exec.Command("git", "worktree", "list")
			cmd.Dir = repo
			if list, err := cmd.Output(); err != nil || strings.Count(string(list), "\n") != 1 {
				t.Errorf("worktrees are left: %s %v", list, err)
			}
		})
	}
}

func TestUnknownCommit(t *testing.T) {
	repo := repository(t, map[string]string{"go.mod": mod})
	for _, name := range []string{"nothing", "--output=x"} {
		o, err := parse([]string{"-C", repo, "--", name}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		err = run(t.Context(), o, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "is not a commit of this repository") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
