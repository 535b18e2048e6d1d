// Package compare matches the benchmarks of two commits, reads their results, and judges whether the later commit
// is slower.
package compare

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Function is a benchmark function of a commit.
type Function struct {
	Package string // its folder, relative to the top of the repository
	Name    string // with "Benchmark"
}

func (f Function) String() string {
	return f.Package + "." + strings.TrimPrefix(f.Name, "Benchmark")
}

// Pair is the same benchmark function in both commits.
type Pair struct {
	Before, After Function
}

func (p Pair) String() string {
	if p.Before == p.After {
		return p.After.String()
	}
	return fmt.Sprintf("%v (was %v)", p.After, p.Before)
}

// Renames maps folders of the earlier commit to those of the later one.
type Renames map[string]string

// ParseRenames reads "old=new,old=new".
func ParseRenames(list string) (Renames, error) {
	renames := make(Renames)
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		before, after, found := strings.Cut(item, "=")
		before, after = path.Clean(before), path.Clean(after)
		if !found || before == "." || after == "." {
			return nil, fmt.Errorf("renamed: %q is not old=new: name two folders, as in services/camera/yuv=video/yuv", item)
		}
		if _, twice := renames[before]; twice {
			return nil, fmt.Errorf("renamed: %s is given twice: name one new folder for it", before)
		}
		renames[before] = after
	}
	return renames, nil
}

// apply returns the new folder of a folder. The longest old name that contains the folder decides.
func (r Renames) apply(folder string) string {
	for old := folder; old != "." && old != "/"; old = path.Dir(old) {
		if renamed, found := r[old]; found {
			return renamed + strings.TrimPrefix(folder, old)
		}
	}
	return folder
}

// Matched is what Match found.
type Matched struct {
	Pairs      []Pair
	OnlyBefore []Function
	OnlyAfter  []Function
}

// Match pairs the functions of two commits: first those of the same name in the same folder, renames applied;
// then, among the rest, functions whose name and last folder occur once on each side; then functions whose name
// occurs once on each side.
func Match(before, after []Function, renames Renames) Matched {
	m := Matched{OnlyBefore: slices.Clone(before), OnlyAfter: slices.Clone(after)}
	m.pass(func(f Function, old bool) Function {
		if old {
			f.Package = renames.apply(f.Package)
		}
		return f
	})
	m.pass(func(f Function, _ bool) Function { return Function{path.Base(f.Package), f.Name} })
	m.pass(func(f Function, _ bool) Function { return Function{"", f.Name} })
	slices.SortFunc(m.Pairs, func(a, b Pair) int { return strings.Compare(a.After.String(), b.After.String()) })
	return m
}

// pass pairs the functions for which key returns a value that is unique on their side.
func (m *Matched) pass(key func(f Function, old bool) Function) {
	olds, news := index(m.OnlyBefore, true, key), index(m.OnlyAfter, false, key)
	paired := make(map[Function]bool)
	for k, before := range olds {
		if after := news[k]; len(before) == 1 && len(after) == 1 {
			m.Pairs = append(m.Pairs, Pair{before[0], after[0]})
			paired[k] = true
		}
	}
	m.OnlyBefore = slices.DeleteFunc(m.OnlyBefore, func(f Function) bool { return paired[key(f, true)] })
	m.OnlyAfter = slices.DeleteFunc(m.OnlyAfter, func(f Function) bool { return paired[key(f, false)] })
}

func index(functions []Function, old bool, key func(Function, bool) Function) map[Function][]Function {
	by := make(map[Function][]Function)
	for _, f := range functions {
		by[key(f, old)] = append(by[key(f, old)], f)
	}
	return by
}
