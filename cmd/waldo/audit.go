package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/recording/attest"
	"github.com/waldo-robot/waldo/recording/drives"
	"github.com/waldo-robot/waldo/recording/folder"
)

type auditCommand struct {
	Show   auditShowCommand   `cmd:"" default:"withargs" help:"List drives, or the commands of one."`
	Verify auditVerifyCommand `cmd:"" help:"Find out whether audit logs and recordings were altered."`
}

// Help explains the command.
func (*auditCommand) Help() string {
	return `It reads the audit logs and recordings of this machine, not those of a robot elsewhere: run it there, with sudo for an
installed robot. A drive is a time in which somebody held the lease of a device. For example:

  waldo audit                                              # who drove, when, and what was refused
  waldo audit 3                                            # each command of drive 3, and what its driver had seen
  waldo audit 2026-11-30T07:10:12Z                         # of the drive at that time
  waldo audit verify > heads.txt                           # is all as it was? Keep the file elsewhere,
  waldo audit verify --expect heads.txt                    # and it shows later whether ends were cut off

Leases and e-stops are known without a recording, commands are not; of which drives no recording was found is said.
Without --state and --recordings it also looks for recordings where the logs say that they were.`
}

// audited says where audit logs and recordings are.
type audited struct {
	State      string   `placeholder:"FOLDER" help:"The robot's folder of state. Default: that of the robot that is installed here, or yours."`
	Recordings []string `sep:"none" placeholder:"PATH" help:"A folder with recordings, or a file; may be repeated. Default: recordings in the folder of state."`
}

// place returns the folder of state, and the folders and files of recordings.
func (a audited) place() (folder string, recordings []string, err error) {
	if folder, err = a.folder(); err != nil {
		return "", nil, err
	}
	if _, err := os.Stat(folder); err != nil {
		return "", nil, configurationError{fmt.Errorf("--state: %w", err)}
	}
	if len(a.Recordings) > 0 {
		return folder, a.Recordings, nil
	}
	usual := filepath.Join(folder, "recordings")
	if _, err := os.Stat(usual); errors.Is(err, fs.ErrNotExist) {
		return folder, nil, nil
	}
	return folder, []string{usual}, nil
}

// told reports whether folders that the logs name are looked at, too: nothing says that the logs are copies, or that the
// recordings are elsewhere.
func (a audited) told() bool { return a.State == "" && len(a.Recordings) == 0 }

func (a audited) folder() (string, error) {
	if a.State != "" {
		return a.State, nil
	}
	own, err := state.Folder("", os.Getenv)
	if err == nil && (os.Geteuid() != 0 || os.Getenv("STATE_DIRECTORY") != "") {
		if _, err := os.Stat(filepath.Join(own, "audit")); err == nil {
			return own, nil
		}
	}
	if _, there := os.Stat(filepath.Join(installed, "audit")); there == nil {
		return installed, nil
	}
	if err != nil {
		return "", configurationError{fmt.Errorf("%w: name the folder with --state", err)}
	}
	return own, nil
}

type auditShowCommand struct {
	audited `embed:""`
	Robot   string `placeholder:"NAME" help:"Only of this robot."`
	Device  string `placeholder:"NAME" help:"Only of this device."`
	JSON    bool   `name:"json" help:"Print JSON: an object with the drives; for one drive a line for it, and one for each command."`
	Drive   string `arg:"" optional:"" help:"Number of a drive, or a time when it was under way, as 2026-11-30T07:10:12Z."`
}

// Run prints the drives, or one of them.
func (a *auditShowCommand) Run(ctx context.Context, c console) error {
	book, where, err := a.open(ctx)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run it with sudo", err)
	}
	if err != nil {
		return err
	}
	if a.Drive != "" {
		return a.printDrive(ctx, c, book, where)
	}
	if a.JSON {
		if book.Drives == nil {
			book.Drives = []*drives.Drive{}
		}
		e := json.NewEncoder(c.out)
		e.SetIndent("", "  ")
		return e.Encode(book)
	}
	return printBook(c.plain(), book)
}

// open reads logs and recordings, and returns what they say, and where recordings were looked for.
func (a *auditShowCommand) open(ctx context.Context) (book *drives.Book, where string, err error) {
	folder, recordings, err := a.place()
	if err != nil {
		return nil, "", err
	}
	files, err := mcapFiles(recordings)
	if err != nil && len(a.Recordings) > 0 {
		return nil, "", configurationError{fmt.Errorf("--recordings: %w", err)}
	}
	if err != nil {
		return nil, "", err
	}
	var unread []string
	if a.told() {
		more, err := attest.Folders(folder, recordings)
		if err != nil {
			return nil, "", err
		}
		for _, dir := range more {
			found, err := mcapFiles([]string{dir})
			if err != nil {
				unread = append(unread, fmt.Sprintf("a log tells of recordings in %s, which cannot be read: %v", dir, err))
				continue
			}
			files, recordings = append(files, found...), append(recordings, dir)
		}
	}
	where = whereText(folder, recordings)
	book, err = drives.Open(ctx,
		drives.Config{State: folder, Files: files, Where: where, Robot: a.Robot, Device: a.Device})
	if err == nil {
		book.Missing = append(book.Missing, unread...)
	}
	return book, where, err
}

// whereText says where recordings were looked for, and how to look elsewhere.
func whereText(state string, recordings []string) string {
	if len(recordings) == 0 {
		recordings = []string{filepath.Join(state, "recordings")}
	}
	return "in " + strings.Join(recordings, ", ") + " (--recordings names other folders)"
}

// mcapFiles returns the files of recordings in folders, and those that are named.
func mcapFiles(paths []string) (files []string, err error) {
	for _, path := range paths {
		about, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !about.IsDir() {
			files = append(files, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if name := strings.TrimSuffix(e.Name(), partSuffix); strings.HasSuffix(name, folder.Suffix) && e.Type().IsRegular() {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	return files, nil
}

// printBook prints all drives.
func printBook(c console, b *drives.Book) error {
	if len(b.Drives) == 0 {
		_, _ = fmt.Fprintln(c.err, "nobody has driven, as far as is known here")
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	if len(b.Drives) > 0 { // Flush reports errors
		_, _ = fmt.Fprintln(w,
			"DRIVE\tBEGIN\tDURATION\tDEVICE\tWHO\tTOKEN\tFROM\tENDED\tACCEPTED\tREFUSED\tE-STOPS\tOLDEST PICTURE")
	}
	for _, d := range b.Drives {
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", d.Number, clockText(d.Begin),
			driveLength(d), deviceText(d.Robot, d.Device), cmp.Or(d.Who, "-"), cmp.Or(d.Token, "-"), cmp.Or(d.From, "-"),
			cmp.Or(d.Ended, "-"),
			acceptedText(d.Tally), refusedText(d.Tally), len(d.EStops), ageText(d.Tally))
	}
	if len(b.EStops) > 0 {
		_, _ = fmt.Fprintln(w, "\nE-stops while nobody drove:")
	}
	for _, e := range b.EStops {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", clockText(e.Time), deviceText(e.Robot, e.Device), eStopText(e))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, m := range b.Missing {
		if _, err := fmt.Fprintf(c.err, "not known: %s\n", m); err != nil {
			return err
		}
	}
	return nil
}

func clockText(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func deviceText(robot, device string) string { return strings.TrimPrefix(robot+"/"+device, "/") }

func driveLength(d *drives.Drive) string {
	if d.End.IsZero() {
		return "-"
	}
	return d.End.Sub(d.Begin).Round(time.Second / 10).String()
}

func acceptedText(t *drives.Tally) string {
	switch {
	case t == nil:
		return "?"
	case t.Slowed > 0:
		return fmt.Sprintf("%d (%d slowed)", t.Accepted, t.Slowed)
	}
	return fmt.Sprint(t.Accepted)
}

func refusedText(t *drives.Tally) string {
	if t == nil {
		return "?"
	}
	var all []string
	for _, reason := range slices.Sorted(maps.Keys(t.Refused)) {
		all = append(all, fmt.Sprintf("%d %s", t.Refused[reason], reason))
	}
	if t.Strangers > 0 {
		all = append(all, fmt.Sprintf("%d of others", t.Strangers))
	}
	return cmp.Or(strings.Join(all, ", "), "-")
}

func ageText(t *drives.Tally) string {
	switch {
	case t == nil:
		return "?"
	case t.OldestPicture == 0:
		return "-"
	}
	return secondsText(t.OldestPicture)
}

func secondsText(s drives.Seconds) string {
	return time.Duration(float64(s) * float64(time.Second)).Round(time.Millisecond).String()
}

func eStopText(e *drives.EStop) string {
	text := "by " + e.By
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if !e.Cleared.IsZero() {
		text += fmt.Sprintf("; cleared %s by %s", clockText(e.Cleared), e.ClearedBy)
	}
	return text
}

// printDrive prints a drive with its commands.
func (a *auditShowCommand) printDrive(ctx context.Context, c console, b *drives.Book, where string) error {
	d, err := b.Find(a.Drive)
	if err != nil {
		return err
	}
	return c.patient(func(out io.Writer) error {
		if a.JSON {
			lines := json.NewEncoder(out)
			if err := lines.Encode(d); err != nil {
				return err
			}
			return b.Commands(ctx, d, func(one *drives.Command) error { return lines.Encode(one) })
		}
		shown := console{out, c.err}.plain()
		if err := printHead(shown.out, d, where); err != nil {
			return err
		}
		return b.Commands(ctx, d, func(one *drives.Command) error { return printCommand(shown.out, one) })
	})
}

// printHead prints what is known of a drive as a whole, and where recordings of it were looked for.
func printHead(to io.Writer, d *drives.Drive, where string) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { // Flush reports errors
		_, _ = fmt.Fprintf(w, name+"\t"+format+"\n", args...)
	}
	row("drive", "%d", d.Number)
	row("who", "%s", strings.Join(slices.DeleteFunc([]string{d.Who, labelled("token", d.Token), labelled("from", d.From),
		labelled("took it from", d.Took)}, func(s string) bool { return s == "" }), ", "))
	row("device", "%s, lease %d of the process %d", deviceText(d.Robot, d.Device), d.Lease, d.Epoch)
	row("time", "%s, %s", clockText(d.Begin), driveLength(d))
	row("ended", "%s", cmp.Or(d.Ended, "that is not known"))
	if d.Tally != nil {
		row("accepted", "%s", acceptedText(d.Tally))
		row("refused", "%s", refusedText(d.Tally))
		row("oldest picture", "%s", ageText(d.Tally))
	}
	if d.Tally != nil && d.Tally.Missing > 0 {
		row("missing", "%s not in the recording", text.Count(d.Tally.Missing, "command is", "commands are"))
	}
	for _, e := range d.EStops {
		row("e-stop", "%s %s", clockText(e.Time), eStopText(e))
	}
	if d.Tally != nil {
		row("page", "/recordings#at=%s", d.Begin.UTC().Format("2006-01-02T15:04:05.000Z"))
	} else {
		row("commands", "no recording of them was found %s", where)
	}
	_, _ = fmt.Fprintln(w)
	return w.Flush()
}

// labelled returns a text after what it is, or nothing.
func labelled(what, text string) string {
	if text == "" {
		return ""
	}
	return what + " " + text
}

// printCommand prints a command on a line.
func printCommand(to io.Writer, c *drives.Command) error {
	what := []string{c.Time.Local().Format("15:04:05.000"), fmt.Sprintf("%6d", c.Sequence),
		fmt.Sprintf("%-13s", c.Verdict), fmt.Sprintf("%-30s", cmp.Or(c.Message, "-"))}
	if c.Factor > 0 && c.Factor < 1 {
		what = append(what, fmt.Sprintf("at %.0f %%", 100*c.Factor))
	}
	if saw := sawText(c); saw != "" {
		what = append(what, saw)
	}
	if c.Stranger != "" {
		what = append(what, "by "+strings.Join(slices.DeleteFunc([]string{c.Stranger, c.From},
			func(s string) bool { return s == "" }), " from "))
	}
	if c.Error != "" {
		what = append(what, c.Error)
	}
	for _, r := range c.Reports {
		what = append(what, "< "+r.Message)
	}
	if c.MoreReports > 0 {
		what = append(what, fmt.Sprintf("< and %d more", c.MoreReports))
	}
	_, err := fmt.Fprintln(to, strings.Join(what, "  "))
	return err
}

// sawText is what the driver had seen.
func sawText(c *drives.Command) string {
	age := ""
	if c.SeenAge > 0 {
		age = ", " + secondsText(c.SeenAge) + " old"
	}
	switch {
	case c.Frame != nil:
		return fmt.Sprintf("saw %s/%s %d/%d%s", c.Frame.Camera, c.Frame.Stream, c.Frame.Epoch, c.Frame.Sequence, age)
	case !c.Seen.IsZero() && c.Camera != "":
		return "saw a picture of " + c.Camera + " that was not recorded" + age
	case !c.Seen.IsZero():
		return "saw a picture that was not recorded" + age
	case c.Camera != "":
		return "saw nothing of " + c.Camera
	}
	return ""
}
