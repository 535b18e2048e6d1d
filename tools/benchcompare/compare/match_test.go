package compare_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/tools/benchcompare/compare"
)

// functions reads "folder.Name" items.
func functions(items string) []compare.Function {
	var all []compare.Function
	for item := range strings.FieldsSeq(items) {
		folder, name, _ := strings.Cut(item, ".")
		all = append(all, compare.Function{Package: folder, Name: "Benchmark" + name})
	}
	return all
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after string
		renames       string
		pairs         string
		onlyBefore    string
		onlyAfter     string
	}{
		{name: "in place", before: "a.X a.Y b.X", after: "b.X a.Y a.X", pairs: "a.X a.Y b.X"},
		{name: "new and gone", before: "a.X a.Old", after: "a.X a.New", pairs: "a.X", onlyBefore: "a.Old",
			onlyAfter: "a.New"},
		{name: "renamed", before: "s/yuv.X s/yuv/deep.X", after: "v/yuv.X v/yuv/deep.X", renames: "s/yuv=v/yuv",
			pairs: "v/yuv.X<s/yuv.X v/yuv/deep.X<s/yuv/deep.X"},
		{name: "the longest rename decides", before: "s/a.X s/b.X", after: "u/a.X v.X", renames: "s=u,s/b=v",
			pairs: "u/a.X<s/a.X v.X<s/b.X"},
		{name: "a rename is of folders, not of letters", before: "s/ab.X s/c.X", after: "s/ab.X t/c.X", renames: "s/a=t/a",
			pairs: "s/ab.X t/c.X<s/c.X"},
		{name: "moved, by name", before: "s/pipeline.First", after: "v/encode.First",
			pairs: "v/encode.First<s/pipeline.First"},
		{name: "moved, by name and folder", before: "s/h264.Encode s/jpeg.Encode", after: "v/h264.Encode v/jpeg.Encode",
			pairs: "v/h264.Encode<s/h264.Encode v/jpeg.Encode<s/jpeg.Encode"},
		{name: "in place comes before moved", before: "a.Encode", after: "a.Encode b.Encode",
			pairs: "a.Encode", onlyAfter: "b.Encode"},
		{name: "two candidates are none", before: "a.Encode", after: "b.Encode c.Encode",
			onlyBefore: "a.Encode", onlyAfter: "b.Encode c.Encode"},
		{name: "two origins are none", before: "a.Encode b.Encode", after: "c.Encode",
			onlyBefore: "a.Encode b.Encode", onlyAfter: "c.Encode"},
		{name: "nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			renames, err := compare.ParseRenames(c.renames)
			if err != nil {
				t.Fatal(err)
			}
			m := compare.Match(functions(c.before), functions(c.after), renames)
			var pairs []string
			for _, pair := range m.Pairs {
				if pair.Before == pair.After {
					pairs = append(pairs, pair.After.String())
				} else {
					pairs = append(pairs, pair.After.String()+"<"+pair.Before.String())
				}
			}
			if got := strings.Join(pairs, " "); got != c.pairs {
				t.Errorf("paired %q, want %q", got, c.pairs)
			}
			if !slices.Equal(m.OnlyBefore, functions(c.onlyBefore)) || !slices.Equal(m.OnlyAfter, functions(c.onlyAfter)) {
				t.Errorf("only before %v, only after %v; want %s and %s", m.OnlyBefore, m.OnlyAfter, c.onlyBefore, c.onlyAfter)
			}
		})
	}
}

// renameCases are lists of -renamed, with what is wrong in them.
var renameCases = []struct {
	list, problem string
	want          compare.Renames
}{
	{"", "", compare.Renames{}},
	{"a=b", "", compare.Renames{"a": "b"}},
	{"a/x/=b/y/, c=d", "", compare.Renames{"a/x": "b/y", "c": "d"}},
	{"a", `"a" is not old=new`, nil},
	{"a=", `"a=" is not old=new`, nil},
	{"=b", `"=b" is not old=new`, nil},
	{"a=b,a=c", "a is given twice", nil},
}

func TestParseRenames(t *testing.T) {
	for _, c := range renameCases {
		got, err := compare.ParseRenames(c.list)
		switch {
		case c.problem == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%q: got %v, %v; want %v", c.list, got, err, c.want)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%q: got error %v, want one with %s", c.list, err, c.problem)
		}
	}
}
