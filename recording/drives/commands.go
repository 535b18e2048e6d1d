package drives

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
)

const (
	// before is from when on pictures are read that the driver may have seen.
	before = 30 * time.Second
	// settled is after which time nothing more belongs to a command: its picture, and what the board reported next.
	settled = time.Second
	// maxReports bounds what is told of the board's reports after each command.
	maxReports = 3
)

// Command is a command of a drive.
type Command struct {
	Time     time.Time `json:"time"`     // when it was judged
	Sequence int64     `json:"sequence"` // as its sender counts
	Verdict  string    `json:"verdict"`  // accepted, or why not, in one word
	Error    string    `json:"error,omitempty"`
	Message  string    `json:"message,omitempty"`     // JSON
	Factor   float64   `json:"factor,omitempty"`      // by which its values were reduced
	Age      Seconds   `json:"age_seconds,omitempty"` // at most, when it was judged

	Camera  string    `json:"camera,omitempty"` // that its driver had to see
	Seen    time.Time `json:"seen,omitzero"`    // capture time of the picture that they had seen; zero: none
	SeenAge Seconds   `json:"seen_age_seconds,omitempty"`
	Frame   *Frame    `json:"frame,omitempty"` // that picture; nil: it is not in the recording

	// Stranger is who sent a command although somebody else held the lease; empty for commands of the drive.
	Stranger string `json:"stranger,omitempty"`
	// From is the address of a stranger.
	From string `json:"from,omitempty"`

	Reports     []Report `json:"reports,omitempty"`      // what the board said next, until the next command
	MoreReports int64    `json:"more_reports,omitempty"` // that are not in Reports

	logged time.Time
}

// Frame is a picture of a recording.
type Frame struct {
	Camera   string `json:"camera"`
	Stream   string `json:"stream"`
	Epoch    int64  `json:"epoch,string"`
	Sequence int64  `json:"sequence"`
}

// Report is something that a board said.
type Report struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"` // JSON
}

// Commands calls yield for each command of a drive, in the order in which they were judged, until it fails.
func (b *Book) Commands(ctx context.Context, d *Drive, yield func(*Command) error) error {
	t := &teller{book: b, drive: d, yield: yield}
	for _, s := range d.spans {
		if err := t.read(ctx, s); err != nil {
			return err
		}
	}
	return t.tell(time.Time{})
}

// teller goes through the recordings of a drive.
type teller struct {
	book    *Book
	drive   *Drive
	yield   func(*Command) error
	frames  frames
	waiting []*Command
	next    int64 // number of the record that comes next
}

func (t *teller) wants(c *read.Channel) bool {
	w := c.Waldo
	switch {
	case w.Direction != recording.Out:
		return false
	case w.Type == recordType, w.Type == serialType:
		return w.Device == t.drive.Device
	case w.Type == videoType:
		return t.drive.cameras[w.Device] || t.drive.looked
	}
	return false
}

// read goes through a file.
func (t *teller) read(ctx context.Context, s span) error {
	f, err := read.Open(s.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	messages := f.Messages(read.Query{Sparse: true, From: s.first.Add(-before), To: s.last.Add(settled),
		Channels: t.wants})
	fields := map[*read.Channel]recording.Fields{}
	return messages.Each(ctx, func(m read.Message) error {
		if err := t.tell(m.Logged); err != nil {
			return err
		}
		switch m.Channel.Waldo.Type {
		case recordType:
			t.command(m)
		case serialType:
			t.report(m)
		case videoType:
			of, known := fields[m.Channel]
			if !known {
				of = recording.FieldsOf(m.Channel.Waldo.Files, videoType)
				fields[m.Channel] = of
			}
			t.frames.add(m, of)
		}
		return nil
	})
}

// command notes a command that belongs to the drive.
func (t *teller) command(m read.Message) {
	r := &controlv1.CommandRecord{}
	if proto.Unmarshal(m.Data, r) != nil || r.GetEpoch() != t.drive.Epoch || r.GetSequence() < t.next {
		return
	}
	if t.book.driveOf(life{t.drive.Robot, t.drive.Device, r.GetEpoch()}, r) != t.drive {
		return
	}
	t.next = r.GetSequence() + 1
	report, sight := r.GetReport(), r.GetReport().GetSight()
	c := &Command{Time: timeOf(r.GetJudgeTime()), Sequence: report.GetSequence(), Verdict: verdictOf(r),
		Error: r.GetError(), Message: r.GetMessageJson(), Factor: share(r.GetFactor()),
		Age:    Seconds(report.GetAge().AsDuration().Seconds()),
		Camera: sight.GetCamera(), logged: m.Logged}
	if c.Seen = timeOf(r.GetSeen()); !c.Seen.IsZero() {
		c.SeenAge = Seconds(c.Time.Sub(c.Seen).Seconds())
	}
	if sight != nil { // the actuator's word, by its own clock
		c.SeenAge = Seconds(sight.GetAge().AsDuration().Seconds())
	}
	if r.GetLease() == 0 {
		if c.Stranger, c.From = r.GetCaller(), r.GetCallerAddress(); c.Stranger == "" {
			c.Stranger = "unknown"
		}
	}
	t.waiting = append(t.waiting, c)
}

// share is a factor from 0 to 1; 0 if it is none.
func share(factor float64) float64 {
	if factor >= 0 && factor <= 1 {
		return factor
	}
	return 0
}

// report notes what the board said, with the newest command.
func (t *teller) report(m read.Message) {
	if len(t.waiting) == 0 {
		return
	}
	c := t.waiting[len(t.waiting)-1]
	if len(c.Reports) >= maxReports {
		c.MoreReports++
		return
	}
	var said serialv1.SerialMessage
	if proto.Unmarshal(m.Data, &said) == nil {
		c.Reports = append(c.Reports, Report{m.Logged, said.GetJson()})
	}
}

// tell tells of the commands to which nothing more belongs at a log time; zero: of all.
func (t *teller) tell(now time.Time) error {
	for len(t.waiting) > 0 {
		c := t.waiting[0]
		if !now.IsZero() && now.Before(c.logged.Add(settled)) {
			return nil
		}
		t.waiting = t.waiting[1:]
		if !c.Seen.IsZero() {
			c.Frame = t.frames.find(c.Camera, c.Seen)
		}
		if err := t.yield(c); err != nil {
			return err
		}
	}
	return nil
}
