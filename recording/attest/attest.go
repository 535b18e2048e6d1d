package attest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/waldo-robot/waldo/pkg/audit"
)

// Config says what is checked.
type Config struct {
	State   string   // the robot's folder of state, which has the logs
	Folders []string // of recordings
	// Named says that recordings are in these folders and nowhere else, so what is in none of them is gone. Otherwise that
	// is said of files that were in one of them, and others are Elsewhere.
	Named bool
	// Told adds the folders that logs name, and that exist. One that does not, and ought to, is one without files.
	Told bool
	// Heads are those of logs at earlier times that were kept elsewhere.
	Heads map[audit.Name][]audit.Head
}

// Log is what was found out about a log.
type Log struct {
	Name audit.Name
	*audit.Report
}

// Verdict is what was found out about a file of a recording.
type Verdict string

const (
	// Attested means that it is as it was when the recorder completed it.
	Attested Verdict = "attested"
	// Changed means that it is not.
	Changed Verdict = "changed"
	// Gone means that a log tells that it was completed, and not that it was deleted.
	Gone Verdict = "gone"
	// Elsewhere means that a log tells that it was completed, in a folder that was not looked at.
	Elsewhere Verdict = "elsewhere"
	// Unknown means that no log that is kept tells of it.
	Unknown Verdict = "unknown"
	// Incomplete means that it was not completed, or is being written.
	Incomplete Verdict = "incomplete"
)

// File is a file of a recording.
type File struct {
	Name    string  `json:"name"`
	Path    string  `json:"path,omitempty"` // empty for one that is gone
	Verdict Verdict `json:"verdict"`
	SHA256  string  `json:"sha256,omitempty"`
	Text    string  `json:"text,omitempty"` // for people
}

// Result is what was found out.
type Result struct {
	Logs  []Log
	Files []File // by name
}

// Altered reports whether something was altered: a log, or a recording.
func (r *Result) Altered() bool {
	for _, l := range r.Logs {
		if l.Altered() {
			return true
		}
	}
	return slices.ContainsFunc(r.Files, func(f File) bool { return f.Verdict == Changed || f.Verdict == Gone })
}

// Check checks logs and recordings. It fails if something cannot be read.
func Check(ctx context.Context, c Config) (*Result, error) {
	names, err := audit.List(c.State)
	if err != nil {
		return nil, err
	}
	told, err := readTold(c.State, names)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	if r.Files, err = checkFiles(ctx, c, told); err != nil {
		return nil, err
	}
	heads := witnesses{}
	for n, kept := range c.Heads {
		for _, h := range kept {
			heads.add(n, h)
		}
	}
	for _, f := range r.Files {
		if f.Verdict != Attested && f.Verdict != Unknown {
			continue // what was changed is no witness
		}
		if err := heads.read(ctx, f.Path); err != nil {
			return nil, err
		}
	}
	names = append(names, heads.gone(names)...)
	for _, n := range names {
		report, err := audit.Verify(n.Path(c.State), slices.Collect(maps.Keys(heads[n]))...)
		if err != nil {
			return nil, err
		}
		r.Logs = append(r.Logs, Log{n, report})
	}
	return r, nil
}

// check compares a file with what logs tell of it.
func (f *File) check(ctx context.Context, e entry) (err error) {
	if f.SHA256, err = sum(ctx, f.Path); err != nil {
		return err
	}
	switch e.hash {
	case f.SHA256:
		f.Verdict, f.Text = Attested, "by "+e.by
	case "":
		f.Verdict, f.Text = Unknown, "no audit log that is kept tells of it"
		if e.by != "" {
			f.Text = e.by + " tells that it was deleted"
		}
	default:
		f.Verdict, f.Text = Changed, fmt.Sprintf("it is not what it was: its SHA-256 was %s in %s", e.hash, e.by)
	}
	return nil
}

// sum returns the SHA-256 of a file.
func sum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	hash := sha256.New()
	if _, err := io.CopyBuffer(hash, reader{ctx, f}, make([]byte, 1<<20)); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// reader reads until a context ends.
type reader struct {
	ctx  context.Context
	from io.Reader
}

// Read implements [io.Reader].
func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
