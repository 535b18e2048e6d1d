// Command benchcompare compares the Go benchmarks of two commits in one run, and fails if the later one is slower.
//
//	benchcompare [flags] BASE [COMMIT]
//
// COMMIT defaults to HEAD. The command checks both out beside the repository, builds their test programs, and runs
// every common benchmark function alternately (before, after, after, before, …), so that a machine that gets busy
// slows both. It finds a function that has moved to another package by -renamed, or by its name if only one function
// of that name is left on each side.
//
// A figure is worse when the ratio of the medians is beyond -ratio, the 95 % intervals of the medians do not
// overlap, and the difference is more than rounding (1 ns, 16 B, 1 allocation). Exit codes: 0 nothing is worse; 1
// something is; 2 not everything could be compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/tools/benchcompare/compare"
)

// The exit codes.
const (
	exitWorse      = 1
	exitIncomplete = 2
)

// errWorse ends a comparison that found something worse.
var errWorse = errors.New("something is worse than before")

// options are the command line.
type options struct {
	repo       string
	base, head string
	bench, sub string // patterns for functions, and for their sub-benchmarks
	packages   *regexp.Regexp
	skip       []string
	renames    compare.Renames
	runs       int
	benchtime  string
	ratio      float64
	budget     time.Duration // of the whole comparison
	timeout    time.Duration // of one run
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	o, err := parse(os.Args[1:], os.Stderr)
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return
	case errors.Is(err, errWorse):
		fmt.Fprintln(os.Stderr, "benchcompare:", err)
		os.Exit(exitWorse)
	}
	fmt.Fprintln(os.Stderr, "benchcompare:", err)
	os.Exit(exitIncomplete)
}

func parse(args []string, usage io.Writer) (options, error) {
	var bench, packages, skip, renamed string
	o := options{head: "HEAD"}
	f := flag.NewFlagSet("benchcompare", flag.ContinueOnError)
	f.SetOutput(usage)
	f.Usage = func() {
		_, _ = fmt.Fprintln(usage, "benchcompare [flags] BASE [COMMIT]\n\n"+
			"Compares the benchmarks of two commits; COMMIT defaults to HEAD.")
		f.PrintDefaults()
	}
	f.StringVar(&o.repo, "C", ".", "`folder` of the repository")
	f.StringVar(&bench, "bench", ".", "`pattern` of the benchmarks, as for go test")
	f.StringVar(&packages, "packages", ".", "`pattern` of their folders in either commit")
	f.StringVar(&skip, "skip", "e2e,firmware,deploy", "`folders` to leave out")
	f.StringVar(&renamed, "renamed", "", "`old=new,...`: folders that have moved")
	f.IntVar(&o.runs, "count", 10, fmt.Sprintf("`runs` of each benchmark at each commit, at least %d", compare.MinRuns))
	f.StringVar(&o.benchtime, "benchtime", "100ms", "`time` of one run, as for go test")
	f.Float64Var(&o.ratio, "ratio", 1.1, "`ratio` of medians beyond which a figure has moved")
	f.DurationVar(&o.budget, "budget", time.Hour, "time for everything; benchmarks not compared by then are listed")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "time for one run")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	return o, o.set(f.Args(), bench, packages, skip, renamed)
}

// set checks the command line and parses its values.
func (o *options) set(commits []string, bench, packages, skip, renamed string) (err error) {
	switch len(commits) {
	case 2:
		o.base, o.head = commits[0], commits[1]
	case 1:
		o.base = commits[0]
	default:
		return errors.New("name the commit to compare with, and no more than one other: benchcompare [flags] BASE [COMMIT]")
	}
	if o.runs < compare.MinRuns {
		return fmt.Errorf("-count %d is too small: an interval for a median needs %d runs", o.runs, compare.MinRuns)
	}
	if !(o.ratio >= 1) {
		return fmt.Errorf("-ratio %v is too small: it must be 1 or more", o.ratio)
	}
	o.bench, o.sub, _ = strings.Cut(bench, "/")
	if _, err := regexp.Compile(o.bench); err != nil {
		return fmt.Errorf("-bench: %w", err)
	}
	if o.packages, err = regexp.Compile(packages); err != nil {
		return fmt.Errorf("-packages: %w", err)
	}
	o.skip = strings.Split(skip, ",")
	o.renames, err = compare.ParseRenames(renamed)
	return err
}

func run(ctx context.Context, o options, w io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, o.budget)
	defer cancel()
	scratch, err := os.MkdirTemp("", "benchcompare-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	c := comparison{options: o, w: w}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.open(ctx, scratch); err != nil {
		return err
	}
	c.printf("before  %s %s\nafter   %s %s\n", c.before.Hash, c.before.Subject, c.after.Hash, c.after.Subject)
	c.printf("%d runs of %s each, alternating; %s, %s/%s, %d processors, GOMAXPROCS %d\n", o.runs, o.benchtime,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0))
	matched := c.match(ctx)
	for _, pair := range matched.Pairs {
		c.measure(ctx, pair)
	}
	return c.summarize(matched)
}
