package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/tools/benchcompare/commit"
	"github.com/waldo-robot/waldo/tools/benchcompare/compare"
)

// comparison is one run of the command.
type comparison struct {
	options
	w             io.Writer
	before, after *commit.Checkout
	rows          []compare.Row
	worse         []string
	failed        []error  // what could not be compared
	only          []string // metrics that only one commit has
}

func (c *comparison) open(ctx context.Context, scratch string) (err error) {
	if c.before, err = commit.Open(ctx, c.repo, c.base, scratch); err != nil {
		return err
	}
	c.after, err = commit.Open(ctx, c.repo, c.head, scratch)
	return err
}

func (c *comparison) close() error {
	var problems []error
	for _, checkout := range []*commit.Checkout{c.before, c.after} {
		if checkout != nil {
			problems = append(problems, checkout.Close())
		}
	}
	return errors.Join(problems...)
}

// printf prints; a write error becomes an error of the comparison.
func (c *comparison) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(c.w, format, args...); err != nil {
		c.failed = append(c.failed, err)
	}
}

// match builds the test programs of both commits and pairs their benchmarks.
func (c *comparison) match(ctx context.Context) compare.Matched {
	return compare.Match(c.functions(ctx, c.before), c.functions(ctx, c.after), c.renames)
}

func (c *comparison) functions(ctx context.Context, checkout *commit.Checkout) []compare.Function {
	packages, err := checkout.Packages(c.skip)
	if err != nil {
		c.failed = append(c.failed, err)
	}
	wanted := regexp.MustCompile(c.bench)
	var all []compare.Function
	for _, pkg := range packages {
		if !c.packages.MatchString(pkg) {
			continue
		}
		functions, err := checkout.Build(ctx, pkg)
		if err != nil {
			c.failed = append(c.failed, err)
		}
		all = append(all, slices.DeleteFunc(functions,
			func(f compare.Function) bool { return !wanted.MatchString(f.Name) })...)
	}
	return all
}

// measure runs a pair alternately and prints its rows.
func (c *comparison) measure(ctx context.Context, pair compare.Pair) {
	var before, after compare.Results
	old := func() error { return c.runOnce(ctx, c.before, pair.Before, &before) }
	now := func() error { return c.runOnce(ctx, c.after, pair.After, &after) }
	for i := range c.runs {
		turn := []func() error{old, now}
		if i%2 == 1 { // before, after, after, before: the machine's drift affects both equally
			slices.Reverse(turn)
		}
		for _, run := range turn {
			if err := run(); err != nil {
				c.failed = append(c.failed, fmt.Errorf("%v: %w", pair, err))
				return
			}
		}
	}
	rows, onlyBefore, onlyAfter := compare.Compare(&before, &after, c.ratio)
	c.rows = append(c.rows, rows...)
	c.printf("\n%v\n", pair)
	if err := compare.WriteRows(c.w, rows); err != nil {
		c.failed = append(c.failed, err)
	}
	for _, row := range rows {
		if row.Verdict == compare.Worse {
			c.worse = append(c.worse, fmt.Sprintf("%s.%s %s", pair.After.Package, row.Benchmark, row.Unit))
		}
	}
	c.note("before", pair.Before, onlyBefore)
	c.note("after", pair.After, onlyAfter)
}

// runOnce runs a function of one commit and adds its measurements to the results.
func (c *comparison) runOnce(
	ctx context.Context, checkout *commit.Checkout, f compare.Function, results *compare.Results,
) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	text, err := checkout.Run(ctx, f, c.sub, c.benchtime)
	if err != nil {
		return err
	}
	_, err = results.Read(strings.NewReader(text))
	return err
}

// note keeps the metrics that only one commit has.
func (c *comparison) note(side string, f compare.Function, metrics []compare.Metric) {
	for _, metric := range metrics {
		c.only = append(c.only, fmt.Sprintf("only %s: %s.%s %s", side, f.Package, metric.Benchmark, metric.Unit))
	}
}

// summarize prints the benchmarks that were not compared, and the result.
func (c *comparison) summarize(matched compare.Matched) error {
	c.printf("\n")
	for _, f := range matched.OnlyBefore {
		c.printf("only before: %v\n", f)
	}
	for _, f := range matched.OnlyAfter {
		c.printf("only after: %v\n", f)
	}
	for _, line := range c.only {
		c.printf("%s\n", line)
	}
	for _, err := range c.failed {
		c.printf("not compared: %v\n", err)
	}
	mean, n := compare.Typical(c.rows)
	c.printf("%d benchmarks, %d figures; ns/op x%.2f on the geometric mean\n", n, len(c.rows), mean)
	for _, line := range c.worse {
		c.printf("worse: %s\n", line)
	}
	switch {
	case len(c.failed) > 0:
		return fmt.Errorf("not everything could be compared: %d benchmarks or packages failed", len(c.failed))
	case len(c.rows) == 0:
		return errors.New("nothing was compared: no benchmark in both commits matches -bench and -packages")
	case len(c.worse) > 0:
		return errWorse
	}
	return nil
}
