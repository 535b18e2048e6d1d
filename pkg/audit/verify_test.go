package audit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fill writes events to a log that is rotated every few lines, and returns its head.
func fill(t testing.TB, path string, events int) Head {
	t.Helper()
	f := &file{path: path, max: 2 << 10}
	defer f.close()
	for i := range events {
		if err := f.append(line{Time: time.Now(),
			Event: Event{Kind: LeaseAcquired, Who: "anna", What: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	return Head{f.end.next - 1, f.end.hash}
}

func newLog(t testing.TB, events int) (path string, head Head) {
	t.Helper()
	path = Path(t.TempDir(), "rover", "motors")
	return path, fill(t, path, events)
}

func verify(t testing.TB, path string, heads ...Head) *Report {
	t.Helper()
	r, err := Verify(path, heads...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// edit changes the lines of a file, without what ends them.
func edit(t testing.TB, path string, change func(lines []string) []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := change(strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"))
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAltered: what somebody changes in a log is found, and named with its place.
func TestAltered(t *testing.T) {
	for name, tt := range map[string]struct {
		alter func(t *testing.T, path string)
		want  string
	}{
		"nothing": {func(*testing.T, string) {}, ""},
		"a name": {func(t *testing.T, path string) {
			edit(t, path, func(l []string) []string { l[1] = strings.Replace(l[1], "anna", "ben", 1); return l })
		}, "does not follow from the line before it"},
		"a line removed": {func(t *testing.T, path string) {
			edit(t, path, func(l []string) []string { return slices.Delete(l, 1, 2) })
		}, "1 is missing"},
		"a line removed, and the numbers counted anew": {func(t *testing.T, path string) {
			edit(t, path, func(l []string) []string {
				n := parse([]byte(l[1])).Number
				l[2] = strings.Replace(l[2], fmt.Sprintf(`"n":%d`, n+1), fmt.Sprintf(`"n":%d`, n), 1)
				return slices.Delete(l, 1, 2)
			})
		}, "does not follow"},
		"a line inserted": {func(t *testing.T, path string) {
			edit(t, path, func(l []string) []string { return slices.Insert(l, 1, `{"n":7,"event":"login"}`) })
		}, "numbers never go back"},
		"garbage inserted": {func(t *testing.T, path string) {
			edit(t, path, func(l []string) []string { return slices.Insert(l, 1, "x") })
		}, "does not follow"},
		"an empty line inserted": {func(t *testing.T, path string) {
			edit(t, path, func(l []string) []string { return slices.Insert(l, 2, "") })
		}, "does not follow"},
		"lines in another order": {func(t *testing.T, path string) {
			edit(t, path, func(l []string) []string { l[1], l[2] = l[2], l[1]; return l })
		}, "numbers never go back"},
		"a file in the middle removed": {func(t *testing.T, path string) {
			if err := os.Remove(path + ".2"); err != nil {
				t.Fatal(err)
			}
		}, "are missing"},
		"the oldest file removed": {func(t *testing.T, path string) {
			if err := os.Remove(path + ".4"); err != nil {
				t.Fatal(err)
			}
		}, "the files with those before are gone"},
		"files exchanged": {func(t *testing.T, path string) {
			for _, move := range [][2]string{{".1", ".x"}, {".2", ".1"}, {".x", ".2"}} {
				if err := os.Rename(path+move[0], path+move[1]); err != nil {
					t.Fatal(err)
				}
			}
		}, "numbers never go back"},
		"begun anew": {func(t *testing.T, path string) {
			edit(t, path, func([]string) []string { return []string{`{"n":0,"prev":"` + Start + `","event":"started"}`} })
		}, "a new log begins"},
		"the chain removed": {func(t *testing.T, path string) {
			edit(t, path, func(l []string) []string {
				for i := range l {
					before, after, _ := strings.Cut(l[i], `"prev":"`)
					l[i] = before + after[len(Start)+2:]
				}
				return append(l, `{"n":`+fmt.Sprint(parse([]byte(l[len(l)-1])).Number+1)+`,"prev":"`+hashOf([]byte("x"))+
					`","event":"started"}`)
			})
		}, "does not follow"},
	} {
		t.Run(name, func(t *testing.T) {
			path, head := newLog(t, 60)
			if all, _ := filepath.Glob(path + "*"); len(all) != Kept+1 {
				t.Fatalf("there are %d files", len(all))
			}
			tt.alter(t, path)
			r := verify(t, path)
			if r.Altered() != (tt.want != "") {
				t.Fatalf("found %+v", r.Found)
			}
			if tt.want == "" {
				if len(r.Found) > 0 || r.Last.Head() != head || r.Events != r.Chained || r.Events != head.Number-r.First.Number+1 {
					t.Errorf("%+v, the head was %v", r, head)
				}
				return
			}
			if !slices.ContainsFunc(r.Found, func(f Finding) bool {
				return f.Alteration && f.File != "" && f.Line > 0 && strings.Contains(f.Text, tt.want)
			}) {
				t.Errorf("found %+v", r.Found)
			}
		})
	}
}

// TestWitness: what is cut off at the end, or written anew with a chain that is right in itself, is found by whoever
// has kept a head.
func TestWitness(t *testing.T) {
	path, head := newLog(t, 3)
	other, _ := newLog(t, 5)
	robots, _ := newLog(t, 3)
	for name, tt := range map[string]struct {
		alter func()
		heads []Head
		want  string
	}{
		"nothing":   {func() {}, []Head{head, {0, verify(t, path).First.Hash}}, ""},
		"two heads": {func() {}, []Head{head, {head.Number, Start}}, "two witnesses disagree"},
		"the last line changed": {func() {
			edit(t, path, func(l []string) []string { l[2] = strings.Replace(l[2], "anna", "ben", 1); return l })
		}, []Head{head}, "another one when a witness saw it"},
		"the last line removed": {func() { edit(t, path, func(l []string) []string { return l[:2] }) }, []Head{head},
			"saw event 2, and the log ends with event 1"},
		"the last line cut": {func() { edit(t, path, func(l []string) []string { l[2] = l[2][:20]; return l }) },
			[]Head{head}, "saw event 2, and the log ends with event 1"},
		"all written anew": {func() {
			data, _ := os.ReadFile(other)
			_ = os.WriteFile(path, data, 0o600)
		}, []Head{head}, "another one when a witness saw it"},
		"exchanged with that of another robot": {func() { _ = os.Rename(robots, path) }, []Head{head},
			"another one when a witness saw it"},
		"replaced by no events": {func() { _ = os.WriteFile(path, []byte("\x00\xff\x1f\n\x80"), 0o600) }, []Head{head},
			"saw event 2, and the log is empty"},
		"replaced by one long line": {func() { _ = os.WriteFile(path, bytes.Repeat([]byte("x"), 3*maxLine), 0o600) },
			[]Head{head}, "saw event 2, and the log is empty"},
		"emptied": {func() { _ = os.Truncate(path, 0) }, []Head{head}, "the log is empty"},
		"removed": {func() { _ = os.Remove(path) }, []Head{head}, "the log is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.WriteFile(path, before, 0o600) }()
			tt.alter()
			r := verify(t, path, tt.heads...)
			found := slices.ContainsFunc(r.Found,
				func(f Finding) bool { return f.Alteration && strings.Contains(f.Text, tt.want) })
			if found != (tt.want != "") || r.Altered() != found {
				t.Errorf("found %+v", r.Found)
			}
		})
	}
}

// TestLostPower: half a line, zeros and lines that are missing at the end are no alteration, and the chain goes on from
// what is there.
func TestLostPower(t *testing.T) {
	for name, lose := range map[string]func(data []byte) []byte{
		"half a line":  func(data []byte) []byte { return data[:len(data)-40] },
		"its end":      func(data []byte) []byte { return data[:len(data)-1] },
		"a whole line": func(data []byte) []byte { return data[:bytes.LastIndexByte(data[:len(data)-1], '\n')+1] },
		"all lines":    func([]byte) []byte { return nil },
		"zeros":        func(data []byte) []byte { return append(data[:len(data)-40], make([]byte, 5000)...) },
		"many zeros":   func(data []byte) []byte { return append(data[:len(data)-40], make([]byte, 100_000)...) },
		"only zeros":   func([]byte) []byte { return make([]byte, 100_000) },
		"a disk that was full, twice": func(data []byte) []byte {
			return append(data[:len(data)-40], "\n{\"time\":\"2026-11-30"...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := newLog(t, 23)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, lose(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := verify(t, path); r.Altered() {
				t.Errorf("before it goes on: %+v", r.Found)
			}
			head := fill(t, path, 3)
			if r := verify(t, path, head); r.Altered() || r.Last.Head() != head || r.Chained != r.Events {
				t.Errorf("after it went on: %+v", r.Found)
			}
		})
	}
}

// TestCrashWhileRotating: whichever of the renames were done when a process ended, the chain goes on.
func TestCrashWhileRotating(t *testing.T) {
	for done := range Kept + 1 {
		path, _ := newLog(t, 60)
		for i := Kept; i > Kept-done; i-- {
			if err := os.Rename(old(path, i-1), old(path, i)); err != nil {
				t.Fatal(err)
			}
		}
		head := fill(t, path, 20)
		if r := verify(t, path, head); len(r.Found) > 0 || r.Last.Head() != head {
			t.Errorf("after %d renames: %+v", done, r.Found)
		}
	}
}

// TestOlderVersions: lines without a chain are read, what follows attests them, and an older process may write between.
func TestOlderVersions(t *testing.T) {
	path := Path(t.TempDir(), "rover", "front")
	old := func(n int) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if _, err := fmt.Fprintf(f, `{"time":"2026-11-20T10:00:00Z","n":%d,"event":"login","who":"anna"}`+"\n",
			n); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	old(0)
	old(1)
	if r := verify(t, path); r.Altered() || r.Events != 2 || r.Chained != 0 || len(r.Found) != 1 {
		t.Errorf("an old log: %+v", r)
	}
	fill(t, path, 2)
	if r := verify(t, path); len(r.Found) > 0 || r.Events != 4 || r.Chained != 2 {
		t.Errorf("it goes on: %+v", r)
	}
	old(4)
	if r := verify(t, path); r.Altered() || len(r.Found) != 2 {
		t.Errorf("an older process writes once more: %+v", r)
	}
	head := fill(t, path, 1)
	if r := verify(t, path, head); r.Altered() || r.Events != 6 || len(r.Found) != 1 {
		t.Errorf("and is attested: %+v", r)
	}
	edit(t, path, func(l []string) []string { l[1] = strings.Replace(l[1], "anna", "eve", 1); return l })
	if r := verify(t, path); !r.Altered() {
		t.Errorf("an old line that is attested was changed: %+v", r)
	}
}

// TestTogetherRotated: processes that share a log keep one chain, over all its files.
func TestTogetherRotated(t *testing.T) {
	path := Path(t.TempDir(), "rover", "front")
	var writers sync.WaitGroup
	for range 3 {
		writers.Go(func() { fill(t, path, 7) })
	}
	writers.Wait()
	if r := verify(t, path); len(r.Found) > 0 || r.Events != 21 || r.Chained != 21 {
		t.Errorf("%+v", r)
	}
}

// TestVerifyWhileItIsWritten: whoever looks at a log that is written and rotated sees a whole chain.
func TestVerifyWhileItIsWritten(t *testing.T) {
	path, _ := newLog(t, 5)
	done := make(chan struct{})
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					fill(t, path, 5)
				}
			}
		})
	}
	last := int64(0)
	for range 40 {
		r := verify(t, path)
		if len(r.Found) > 0 || r.Last.Number < last {
			t.Errorf("after event %d: event %d, %+v", last, r.Last.Number, r.Found)
			break
		}
		last = r.Last.Number
	}
	close(done)
	writers.Wait()
}

func TestHead(t *testing.T) {
	l := Open(Path(t.TempDir(), "rover", "front"), nil)
	if got := l.Head().String(); got != "" {
		t.Errorf("the head of nothing is %q", got)
	}
	l.Write(Event{Kind: Started})
	l.Close()
	head := l.Head()
	if got, err := ParseHead(head.String()); err != nil || got != head || head.Number != 0 {
		t.Errorf("%q became %v, %v", head, got, err)
	}
	verify(t, l.path, head)
	for _, text := range []string{"", "1", "1:", "x:" + Start, "-1:" + Start, "1:" + Start[1:],
		"1:" + strings.Repeat("A", 64), "1:" + Start + "0"} {
		if h, err := ParseHead(text); err == nil {
			t.Errorf("%q is %v", text, h)
		}
	}
	var none *Log
	if none.Head() != (Head{}) {
		t.Error("a log that is none has a head")
	}
}

// TestAnyChange changes one byte anywhere: it is found, except in the last line, which only a witness attests.
func TestAnyChange(t *testing.T) {
	path, head := newLog(t, 25)
	for range 300 {
		files, err := filepath.Glob(path + "*")
		if err != nil {
			t.Fatal(err)
		}
		name := files[rand.IntN(len(files))]
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		at, to := rand.IntN(len(before)), byte(rand.IntN(256))
		after := bytes.Clone(before)
		after[at] = to
		if to == before[at] {
			continue
		}
		if err := os.WriteFile(name, after, 0o600); err != nil {
			t.Fatal(err)
		}
		// the end of the last line is not part of it
		if r := verify(t, path, head); !r.Altered() && !(name == path && at == len(before)-1) {
			t.Errorf("byte %d of %s became %q: %+v", at, name, to, r)
		}
		if err := os.WriteFile(name, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Verify(filepath.Join(t.TempDir(), "none.jsonl")); err == nil {
		t.Error("a log that is not there was verified")
	}
	if _, err := Verify(filepath.Dir(path)); err == nil {
		t.Error("a folder was verified")
	}
}

// FuzzVerify: whatever a file has, it is read, and events that are appended to it follow from it.
func FuzzVerify(f *testing.F) {
	path, _ := newLog(f, 3)
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-5])
	f.Add([]byte("\n\n{"))
	f.Add([]byte(`{"n":9223372036854775807,"event":"login"}` + "\n"))
	f.Add([]byte(`{"n":1,"prev":"x","event":"login"}` + "\n"))
	f.Add(bytes.Repeat([]byte("y"), maxLine+1))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		made, err := os.CreateTemp(dir, "log-*")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Remove(made.Name()) }()
		if _, err := made.Write(data); err != nil || made.Close() != nil {
			t.Fatal(err)
		}
		before := verify(t, made.Name())
		log := &file{path: made.Name()}
		defer log.close()
		for range 2 {
			if err := log.append(line{Event: Event{Kind: EStop}}); err != nil {
				t.Fatal(err)
			}
		}
		after := verify(t, made.Name())
		if after.Events != before.Events+2 {
			t.Fatalf("%d events became %d", before.Events, after.Events)
		}
		for _, found := range after.Found {
			if found.Alteration && !slices.Contains(before.Found, found) && !before.Altered() && before.Events > 0 {
				t.Fatalf("what was appended does not follow: %+v", found)
			}
		}
	})
}

func TestList(t *testing.T) {
	folder := t.TempDir()
	if got, err := List(folder); err != nil || len(got) != 0 {
		t.Errorf("of an empty folder: %v, %v", got, err)
	}
	want := []Name{{"", "tokens"}, {"other", "gone"}, {"rover", "front"}, {"rover", "motors"}}
	for _, n := range want {
		fill(t, n.Path(folder), 1)
	}
	fill(t, Path(folder, "rover", "motors"), 30) // it is rotated
	gone := Path(folder, "other", "gone")
	if err := os.Rename(gone, gone+".1"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.jsonl~", "x.jsonl.10", ".jsonl", "x.txt"} {
		if err := os.WriteFile(filepath.Join(folder, "audit", "rover", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := List(folder); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, n := range append(want, Name{}, Name{"..", "x"}, Name{"rover", ".."}, Name{"rover", "a/b"}, Name{"rover", ""}) {
		if n.Valid() != slices.Contains(want, n) {
			t.Errorf("%+v is valid: %v", n, n.Valid())
		}
	}
	if got := want[3].String() + " " + want[0].String(); got != "rover/motors tokens" {
		t.Error(got)
	}
}
