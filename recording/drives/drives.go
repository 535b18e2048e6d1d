package drives

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// MaxDrives bounds how many drives are told, the newest ones.
	MaxDrives = 100_000
	// maxEStops bounds the e-stops of a drive, and those outside of drives.
	maxEStops = 10_000
	// maxMissing bounds what is said to be missing.
	maxMissing = 100
)

// Seconds is a duration in seconds; 0 if it is not known.
type Seconds float64

// Drive is a time in which somebody held the lease of a device.
type Drive struct {
	Number int    `json:"number"` // from 1, the oldest; changes when old logs and recordings are deleted
	Robot  string `json:"robot,omitempty"`
	Device string `json:"device"`

	Who   string `json:"who"`             // as ControlState.holder
	Token string `json:"token,omitempty"` // id of their token
	From  string `json:"from,omitempty"`  // address
	Took  string `json:"took,omitempty"`  // whose lease they took; empty if it was free

	Epoch int64     `json:"epoch,string"` // life of the device's process; 0 if an older version logged it
	Lease int64     `json:"lease"`        // number of the lease in that life
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end,omitzero"` // zero: it goes on, or nothing tells of its end
	Ended string    `json:"ended,omitempty"`

	EStops []*EStop `json:"e_stops,omitempty"`
	Tally  *Tally   `json:"commands,omitempty"` // nil: no recording of its commands was found
	Logged bool     `json:"logged"`             // false: only a recording tells of it

	spans   []span          // where its commands are
	cameras map[string]bool // that its driver had to see
	looked  bool            // commands name pictures, but not of which camera
}

// How a drive ended, besides the names of SafeCause and what the log says.
const (
	endedTaken   = "taken"
	endedProcess = "process_ended"
)

// EStop is an e-stop that was pressed.
type EStop struct {
	Robot     string    `json:"robot,omitempty"`
	Device    string    `json:"device"`
	Time      time.Time `json:"time"`
	By        string    `json:"by"`
	Token     string    `json:"token,omitempty"`
	From      string    `json:"from,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Cleared   time.Time `json:"cleared,omitzero"`
	ClearedBy string    `json:"cleared_by,omitempty"`
}

// Tally is what became of the commands of a drive, as far as they were recorded.
type Tally struct {
	First    time.Time        `json:"first,omitzero"`
	Last     time.Time        `json:"last,omitzero"`
	Accepted int64            `json:"accepted"`
	Slowed   int64            `json:"slowed,omitempty"`  // of those, carried out at a lower speed than asked for
	Refused  map[string]int64 `json:"refused,omitempty"` // by the name of the verdict; malformed: it made no sense
	// Strangers are commands of others who held no lease meanwhile.
	Strangers int64 `json:"strangers,omitempty"`
	// Missing are commands that were judged while the stream was read, and are not in the recordings.
	Missing int64 `json:"missing,omitempty"`
	// OldestPicture is the greatest age of the picture that the driver had seen, of the commands that could move the
	// device.
	OldestPicture Seconds `json:"oldest_picture_seconds,omitempty"`
	// Unseen are commands whose driver had to see a picture, and had seen none that is known.
	Unseen int64 `json:"unseen,omitempty"`
}

// Config says where to look, and for what.
type Config struct {
	State  string   // the robot's folder of state; empty: no logs are read
	Files  []string // of recordings
	Where  string   // they were looked for, as "in a, b"; it ends what is said of commands that none of them has
	Robot  string   // of which robot; empty: of all
	Device string   // of which device; empty: of all
}

// Book is what is known of drives.
type Book struct {
	Drives  []*Drive `json:"drives"`            // the oldest first
	EStops  []*EStop `json:"e_stops,omitempty"` // those that were pressed while nobody drove
	Missing []string `json:"missing,omitempty"` // what is not known, for people

	config  Config
	byLease map[lease]*Drive
	lives   map[life][]*Drive
	next    map[life]int64 // number of the record of a command that comes next
	strays  map[life]int64 // commands that belong to no drive
	covered coverage
}

// lease identifies a drive.
type lease struct {
	life
	number int64
}

// life identifies a life of a device's process.
type life struct {
	robot, device string
	epoch         int64
}

func newBook(c Config) *Book {
	return &Book{config: c, byLease: map[lease]*Drive{}, lives: map[life][]*Drive{}, next: map[life]int64{},
		strays: map[life]int64{}, covered: coverage{}}
}

// Open reads the logs, and what became of commands in the recordings.
func Open(ctx context.Context, c Config) (*Book, error) {
	b := newBook(c)
	var lists [][]*Drive
	if c.State != "" {
		logged, err := b.readLogs()
		if err != nil {
			return nil, err
		}
		lists = logged
	}
	recorded, err := b.readRecordings(ctx)
	if err != nil {
		return nil, err
	}
	b.Drives = merge(append(lists, recorded...))
	b.number()
	b.missing()
	return b, nil
}

// merge puts lists together by the time at which drives began. The order within a list stays.
func merge(lists [][]*Drive) []*Drive {
	var all []*Drive
	for {
		next := -1
		for i, l := range lists {
			if len(l) > 0 && (next < 0 || l[0].Begin.Before(lists[next][0].Begin)) {
				next = i
			}
		}
		if next < 0 {
			return all
		}
		all = append(all, lists[next][0])
		lists[next] = lists[next][1:]
	}
}

// number drops the oldest if there are too many, and numbers the rest.
func (b *Book) number() {
	if more := len(b.Drives) - MaxDrives; more > 0 {
		b.Drives = b.Drives[more:]
		b.lack("%s not told", text.Count(more, "older drive is", "older drives are"))
	}
	for i, d := range b.Drives {
		d.Number = i + 1
	}
}

// lack notes what is not known.
func (b *Book) lack(format string, args ...any) {
	switch n := len(b.Missing); {
	case n < maxMissing:
		b.Missing = append(b.Missing, fmt.Sprintf(format, args...))
	case n == maxMissing:
		b.Missing = append(b.Missing, "and more")
	}
}

// know remembers a drive by its lease.
func (b *Book) know(d *Drive) {
	key := life{d.Robot, d.Device, d.Epoch}
	b.byLease[lease{key, d.Lease}] = d
	b.lives[key] = append(b.lives[key], d)
}

// missing says what is not known of the drives.
func (b *Book) missing() {
	b.cover()
	for _, l := range sortedLives(b.strays) {
		b.lack("%s to %s belonged to no drive that is known: who sent it held no lease",
			text.Count(b.strays[l], "command", "commands"), l.device)
	}
}

func sortedLives[V any](of map[life]V) []life {
	var all []life
	for l := range of {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b life) int {
		return cmp.Or(cmp.Compare(a.robot, b.robot), cmp.Compare(a.device, b.device), cmp.Compare(a.epoch, b.epoch))
	})
	return all
}

// numbers lists drives by their numbers, as 1-3, 5.
func numbers(drives []*Drive) string {
	var all []string
	for i := 0; i < len(drives); {
		first, last := drives[i].Number, drives[i].Number
		for i++; i < len(drives) && drives[i].Number == last+1; i++ {
			last++
		}
		text := strconv.Itoa(first)
		if last > first {
			text += "-" + strconv.Itoa(last)
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// ErrNone is about a drive that is not there.
var ErrNone = errors.New("there is no such drive")

// Find returns the drive of a number, or the one that was under way, or the last one that began, at a time (RFC 3339).
func (b *Book) Find(text string) (*Drive, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 1 || n > len(b.Drives) {
			return nil, fmt.Errorf("%w: there are %d", ErrNone, len(b.Drives))
		}
		return b.Drives[n-1], nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fmt.Errorf("%q is neither the number of a drive nor a time such as 2026-11-30T07:10:12Z", text)
	}
	var found *Drive
	for _, d := range b.Drives {
		if d.Begin.After(at.Add(time.Second)) { // times are printed in whole seconds
			continue
		}
		if found == nil || !found.at(at) || d.at(at) {
			found = d
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%w: none began before %s", ErrNone, text)
	}
	return found, nil
}

// at reports whether the drive was under way at a time.
func (d *Drive) at(t time.Time) bool {
	return !t.Before(d.Begin) && (d.End.IsZero() || !t.After(d.End))
}

// readLogs reads the logs of all devices.
func (b *Book) readLogs() ([][]*Drive, error) {
	names, err := audit.List(b.config.State)
	if err != nil {
		return nil, err
	}
	var lists [][]*Drive
	for _, n := range names {
		if n.Robot == "" || b.config.Robot != "" && n.Robot != b.config.Robot {
			continue
		}
		l := &log{book: b, name: n}
		if err := audit.Read(n.Path(b.config.State), l.line); err != nil {
			return nil, err
		}
		if l.lost > 0 {
			b.lack("%s of %s could not be written at the time", text.Count(l.lost, "event", "events"), n)
		}
		if len(l.drives) > 0 {
			lists = append(lists, l.drives)
		}
	}
	return lists, nil
}
