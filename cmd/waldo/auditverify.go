package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/recording/attest"
	"github.com/waldo-robot/waldo/recording/write"
)

// partSuffix ends the names of files that are being written.
const partSuffix = write.PartSuffix

type auditVerifyCommand struct {
	audited `embed:""`
	Expect  string `type:"existingfile" placeholder:"FILE" help:"What an earlier waldo audit verify printed: the logs have to have what they had then."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help explains the command.
func (*auditVerifyCommand) Help() string {
	return `Each line of an audit log has the hash of the line before, and the log of the recorder has that of each file of a
recording, so what was changed, removed, inserted or moved is found and named. That the end of a log was cut off is
found if a recording shows that there was more, or with --expect. Without --state and --recordings it also looks for
recordings where the logs say that they were; "elsewhere" is no alteration: the folder was not looked at.

HEAD is the number and the SHA-256 of the last line of a log. Whoever has it, on another machine or on paper, can prove
later that the log up to there is what it was: who may write to the robot's disk can alter everything on it, but not
that. The exit code is 1 if something was altered.`
}

// errAltered is the result when something was altered.
var errAltered = errors.New("audit logs or recordings are not what they were: see above")

// Run checks the logs and the recordings.
func (a *auditVerifyCommand) Run(ctx context.Context, c console) error {
	state, recordings, err := a.place()
	if err != nil {
		return err
	}
	config := attest.Config{State: state, Named: len(a.Recordings) > 0, Told: a.told()}
	for _, path := range recordings {
		about, err := os.Stat(path)
		if err != nil || !about.IsDir() {
			return configurationError{errors.Join(fmt.Errorf("--recordings: %s is not a folder", path), err)}
		}
		config.Folders = append(config.Folders, path)
	}
	if a.Expect != "" {
		if config.Heads, err = readHeads(a.Expect); err != nil {
			return configurationError{fmt.Errorf("--expect: %w", err)}
		}
	}
	result, err := attest.Check(ctx, config)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run it with sudo", err)
	}
	if err != nil {
		return err
	}
	if len(result.Logs) == 0 && len(result.Files) == 0 {
		return configurationError{nothingThere(state, recordings)}
	}
	if a.JSON {
		err = printVerifiedJSON(c.out, result)
	} else {
		err = printVerified(c.plain(), result)
	}
	if err == nil && result.Altered() {
		return errAltered
	}
	return err
}

// nothingThere is about folders with nothing that could be checked.
func nothingThere(state string, recordings []string) error {
	where := "no recordings"
	if len(recordings) > 0 {
		where = "no recordings in " + strings.Join(recordings, ", ")
	}
	return fmt.Errorf("there are no audit logs in %s, and %s: name the robot's folder of state with --state, and that "+
		"of its recordings with --recordings", filepath.Join(state, "audit"), where)
}

// readHeads reads the heads of logs that an earlier check printed; it skips all other lines.
func readHeads(path string) (map[audit.Name][]audit.Head, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	heads := map[audit.Name][]audit.Head{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		name, ok := logName(fields[0])
		head, err := audit.ParseHead(fields[1])
		if ok && err == nil {
			heads[name] = append(heads[name], head)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(heads) == 0 {
		return nil, fmt.Errorf("%s has no heads of audit logs: give it what waldo audit verify has printed", path)
	}
	return heads, nil
}

// logName reads the name of a log, robot/process or process.
func logName(text string) (audit.Name, bool) {
	robot, process, both := strings.Cut(text, "/")
	if !both {
		robot, process = "", text
	}
	name := audit.Name{Robot: robot, Process: process}
	return name, name.Valid()
}

// printVerified prints what was found.
func printVerified(c console, r *attest.Result) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0) // Flush reports errors
	_, _ = fmt.Fprintln(w, "LOG\tHEAD\tEVENTS\tLOST\tRESULT")
	for _, l := range r.Logs {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", l.Name, l.Last.Head(), l.Events, l.Lost, logResult(l))
	}
	if len(r.Files) > 0 {
		_, _ = fmt.Fprintln(w, "\nRECORDING\tRESULT\t")
	}
	for _, f := range r.Files {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, f.Verdict, f.Text)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, l := range r.Logs {
		if err := printFindings(c.out, l); err != nil {
			return err
		}
	}
	return nil
}

func logResult(l attest.Log) string {
	switch {
	case l.Altered():
		return "ALTERED"
	case l.Events == 0:
		return "no events"
	case l.Chained < l.Events:
		return "ok, " + text.Count(l.Events-l.Chained, "event", "events") + " without a chain"
	}
	return "ok"
}

func printFindings(to io.Writer, l attest.Log) error {
	for _, f := range l.Found {
		kind := "note"
		if f.Alteration {
			kind = "ALTERED"
		}
		where := l.Name.String()
		if f.File != "" {
			where = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if _, err := fmt.Fprintf(to, "%s: %s: %s\n", kind, where, f.Text); err != nil {
			return err
		}
	}
	if l.More > 0 {
		_, err := fmt.Fprintf(to, "%s: and %d more\n", l.Name, l.More)
		return err
	}
	return nil
}

// verified is what was found, as JSON.
type verified struct {
	Altered    bool          `json:"altered"`
	Logs       []verifiedLog `json:"logs"`
	Recordings []attest.File `json:"recordings"`
}

type verifiedLog struct {
	Log      string          `json:"log"`
	Altered  bool            `json:"altered"`
	Head     string          `json:"head"`
	Events   int64           `json:"events"`
	Chained  int64           `json:"chained_events"`
	Lost     int64           `json:"lost_events"`
	Findings []audit.Finding `json:"findings"`
	More     int             `json:"more_findings,omitempty"`
}

func printVerifiedJSON(to io.Writer, r *attest.Result) error {
	v := verified{Altered: r.Altered(), Logs: []verifiedLog{}, Recordings: r.Files}
	if v.Recordings == nil {
		v.Recordings = []attest.File{}
	}
	for _, l := range r.Logs {
		one := verifiedLog{Log: l.Name.String(), Altered: l.Altered(), Head: l.Last.Head().String(), Events: l.Events,
			Chained: l.Chained, Lost: l.Lost, Findings: l.Found, More: l.More}
		if one.Findings == nil {
			one.Findings = []audit.Finding{}
		}
		v.Logs = append(v.Logs, one)
	}
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
