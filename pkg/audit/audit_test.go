package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines reads a file, each line of which has to be an event.
func lines(t *testing.T, path string) (found []line) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		found = append(found, l)
	}
	return found
}

func TestLog(t *testing.T) {
	path := Path(t.TempDir(), "rover", "motors")
	events := []Event{
		{Kind: LeaseAcquired, Device: "motors"},
		Event{Kind: EStop, Reason: "lunch"}.By(tokens.Grant{ID: "abc", Name: "anna", Role: roles.Viewer}),
		{Kind: Login, Who: "evil\x1b[2J\n", From: strings.Repeat("x", 1000)},
	}
	for range 2 { // a second process goes on where the first one ended
		l := Open(path, nil)
		for _, e := range events {
			l.Write(e)
		}
		l.Close()
		l.Close()
		l.Write(Event{Kind: EStop}) // forgotten
	}
	got := lines(t, path)
	if len(got) != 2*len(events) {
		t.Fatalf("%d lines: %+v", len(got), got)
	}
	for i, l := range got {
		if l.Number != int64(i) || l.Time.IsZero() || l.Event != events[i%len(events)].bounded() {
			t.Errorf("line %d is %+v", i, l)
		}
	}
	if e := got[1]; e.Who != "anna" || e.Token != "abc" || e.Role != "viewer" {
		t.Errorf("who: %+v", e)
	}
	if e := got[2]; len(e.From) > maxText+len("…") || strings.ContainsAny(e.Who, "\x1b\n") {
		t.Errorf("texts of strangers: %+v", e)
	}
	var none *Log
	none.Write(Event{})
	none.Close()
}

// TestRotate: the files stay small, and no event is written twice or left out.
func TestRotate(t *testing.T) {
	path := Path(t.TempDir(), "rover", "gateway")
	f := &file{path: path}
	defer f.close()
	long := strings.Repeat("x", maxText)
	most := line{Event: Event{Kind: EStop, Who: long, From: long, What: long, Reason: long}}
	const events = 6000
	for f.end.next < events {
		if err := f.append(most); err != nil {
			t.Fatal(err)
		}
	}
	next := int64(-1)
	for i := Kept; i >= 0; i-- {
		name := path
		if i > 0 {
			name = old(path, i)
		}
		about, err := os.Stat(name)
		if err != nil || about.Size() > MaxFile {
			t.Errorf("%s: %v, %v", name, about, err)
		}
		for _, l := range lines(t, name) {
			if next >= 0 && l.Number != next {
				t.Fatalf("%s: event %d follows %d", name, l.Number, next-1)
			}
			next = l.Number + 1
		}
	}
	if next != events {
		t.Errorf("the last event is %d", next-1)
	}
	if all, err := filepath.Glob(path + "*"); err != nil || len(all) != Kept+1 {
		t.Errorf("files %v, %v", all, err)
	}
}

// TestTogether: two processes with one name write whole lines with different numbers.
func TestTogether(t *testing.T) {
	path := Path(t.TempDir(), "rover", "front")
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			f := &file{path: path}
			defer f.close()
			for range 500 {
				if err := f.append(line{Event: Event{Kind: Started}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	for i, l := range lines(t, path) {
		if l.Number != int64(i) {
			t.Fatalf("line %d has number %d", i, l.Number)
		}
	}
}

// TestTorn: half a line, of a process that lost power, spoils only itself.
func TestTorn(t *testing.T) {
	for name, before := range map[string]string{
		"half": `{"n":7,"event":"login"}` + "\n" + `{"n":8,"eve`, "garbage": "\x00\xff\n{}\n[", "empty": "",
		"huge": strings.Repeat("y", 20<<10),
	} {
		path := Path(t.TempDir(), "rover", "front")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		l := Open(path, nil)
		l.Write(Event{Kind: Started, Reason: "again"})
		l.Close()
		after, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(after, []byte(before)) {
			t.Fatalf("%s: %q, %v", name, after, err)
		}
		all := bytes.Split(bytes.TrimSpace(after), []byte{'\n'})
		var got line
		if err := json.Unmarshal(all[len(all)-1], &got); err != nil || got.Reason != "again" ||
			(got.Number == 8) != (name == "half") {
			t.Errorf("%s: the last line is %q, %v", name, all[len(all)-1], err)
		}
	}
}

// TestFull: a log that cannot be written harms nothing, says so once, and tells what is missing when it can be written
// again.
func TestFull(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "audit")
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	var text bytes.Buffer
	l := Open(Path(filepath.Dir(folder), "rover", "front"), slog.New(slog.NewTextHandler(&text, nil)))
	for range 3 {
		l.Write(Event{Kind: EStop})
	}
	for { // until all of them have failed
		l.mu.Lock()
		lost := l.lost
		l.mu.Unlock()
		if lost == 3 {
			break
		}
		runtime.Gosched()
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	l.Write(Event{Kind: EStopCleared})
	l.Close()
	got := lines(t, l.path)
	if len(got) != 1 || got[0].Lost != 3 || got[0].Kind != EStopCleared {
		t.Errorf("written %+v", got)
	}
	if n := strings.Count(text.String(), "events are missing"); n != 1 {
		t.Errorf("logged %d times: %s", n, text.String())
	}
	// A disk that takes nothing.
	full := &file{path: "/dev/full"}
	defer full.close()
	if err := full.append(line{Event: Event{Kind: EStop}}); err == nil {
		t.Error("a full disk took an event")
	}
}

// TestRefusals: refusals of one kind are limited, and do not push out those of another kind or other events.
func TestRefusals(t *testing.T) {
	path := Path(t.TempDir(), "rover", "gateway")
	l := Open(path, nil)
	flood := Event{Kind: Refused, From: "10.0.0.66:1", Reason: "unknown"}
	for range 10_000 {
		l.Write(flood)
	}
	l.Write(Event{Kind: Refused, From: "10.0.0.7:2", Who: "anna", What: "Take", Reason: "role"})
	l.Write(Event{Kind: EStop})
	l.mu.Lock()
	for _, r := range l.refusals {
		r.last = r.last.Add(-2 * refusalEvery)
	}
	l.mu.Unlock()
	l.Write(flood)
	l.Close()
	got := lines(t, path)
	if len(got) != refusalBurst+3 {
		t.Fatalf("%d lines", len(got))
	}
	if end := got[len(got)-1]; end.Similar != 10_000-refusalBurst {
		t.Errorf("the last one: %+v", end)
	}
	l = Open(filepath.Join(t.TempDir(), "x"), nil)
	defer l.Close()
	for i := range 10_000 {
		l.Write(Event{Kind: Refused, What: strings.Repeat("x", i%1000)})
	}
	if n := len(l.refusals); n > maxRefusals+1 {
		t.Errorf("%d kinds of refusals are remembered", n)
	}
}

// TestManyKindsOfRefusals: who finds ever new ways to be refused cannot push out the rest either.
func TestManyKindsOfRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := Path(t.TempDir(), "rover", "bus")
		l := Open(path, nil)
		l.Write(Event{Kind: EStop})
		for i := range 24 * 3600 { // a day, one a second
			l.Write(Event{Kind: Refused, Who: "rover/front",
				What: fmt.Sprintf("publish x%d.%s", i, strings.Repeat("y", maxText))})
			time.Sleep(time.Second)
		}
		l.Close()
		files, err := filepath.Glob(path + "*")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		slices.Sort(files) // the oldest is the last one
		if got := lines(t, files[len(files)-1]); got[0].Kind != EStop {
			t.Errorf("after a day of refusals the oldest line is %+v", got[0])
		}
	})
}

// FuzzEnd: whatever a file ends with, an event is appended as a line of its own.
func FuzzEnd(f *testing.F) {
	f.Add([]byte(`{"n":1,"event":"login"}`))
	f.Add([]byte("\n\n{"))
	f.Add([]byte(`{"n":9223372036854775807,"event":"login"}` + "\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, before []byte) {
		made, err := os.CreateTemp(dir, "log-*")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Remove(made.Name()) }()
		if _, err := made.Write(before); err != nil || made.Close() != nil {
			t.Fatal(err)
		}
		log := &file{path: made.Name()}
		defer log.close()
		if err := log.append(line{Event: Event{Kind: EStop}}); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(made.Name())
		if err != nil || !bytes.HasPrefix(after, before) {
			t.Fatalf("%q became %q, %v", before, after, err)
		}
		all := bytes.Split(bytes.TrimSuffix(after, []byte{'\n'}), []byte{'\n'})
		var got line
		if err := json.Unmarshal(all[len(all)-1], &got); err != nil || got.Kind != EStop {
			t.Fatalf("the last line is %q, %v", all[len(all)-1], err)
		}
	})
}
