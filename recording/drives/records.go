package drives

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/write"
)

// Full names of the types of messages that are looked at.
const (
	recordType = "waldo.control.v1.CommandRecord"
	serialType = "waldo.serial.v1.SerialMessage"
	videoType  = "waldo.media.v1.VideoFrame"
)

// span is where commands of a drive are.
type span struct {
	path        string
	first, last time.Time // log times
}

// part is a file of a recording.
type part struct {
	path  string
	robot string
	begin time.Time
}

// readRecordings counts the commands in the recordings, and returns the drives that no log has, by device.
func (b *Book) readRecordings(ctx context.Context) ([][]*Drive, error) {
	var parts []part
	for _, path := range b.config.Files {
		f, err := read.Open(path)
		if err != nil {
			b.lack("a recording cannot be read: %v", err)
			continue
		}
		first, _ := f.Span()
		parts = append(parts, part{path, robotOf(f), first})
		_ = f.Close()
	}
	slices.SortFunc(parts,
		func(x, y part) int { return cmp.Or(x.begin.Compare(y.begin), strings.Compare(x.path, y.path)) })
	found := map[life][]*Drive{}
	for _, p := range parts {
		if b.config.Robot != "" && p.robot != b.config.Robot && p.robot != "" {
			continue
		}
		if err := b.count(ctx, p, found); err != nil {
			return nil, err
		}
	}
	var lists [][]*Drive
	for _, l := range sortedLives(found) {
		lists = append(lists, found[l])
	}
	return lists, nil
}

// robotOf is the robot that was recorded; empty if the file does not say.
func robotOf(f *read.File) string {
	about, err := f.Metadata(write.AboutRobot)
	if err != nil {
		return ""
	}
	return about["robot"]
}

// isRecords reports whether a channel has records of commands, of the devices that are looked at.
func (b *Book) isRecords(c *read.Channel) bool {
	return c.Waldo.Type == recordType && c.Waldo.Direction == recording.Out &&
		(b.config.Device == "" || c.Waldo.Device == b.config.Device)
}

// count counts the commands of a file.
func (b *Book) count(ctx context.Context, p part, found map[life][]*Drive) error {
	f, err := read.Open(p.path)
	if err != nil {
		return err // it could be read before
	}
	defer func() { _ = f.Close() }()
	b.covered.add(p.robot, f, b.isRecords)
	messages := f.Messages(read.Query{Sparse: true, Channels: b.isRecords})
	err = messages.Each(ctx, func(m read.Message) error {
		var r controlv1.CommandRecord
		if proto.Unmarshal(m.Data, &r) != nil {
			b.lack("%s: a record of a command cannot be read", p.path)
			return nil
		}
		b.countRecord(p, m, &r, found)
		return nil
	})
	if err != nil {
		return err
	}
	if err := messages.Damage(); err != nil {
		b.lack("%v", err)
	}
	return nil
}

// countRecord counts a command.
func (b *Book) countRecord(p part, m read.Message, r *controlv1.CommandRecord, found map[life][]*Drive) {
	key := life{p.robot, m.Channel.Waldo.Device, r.GetEpoch()}
	next, known := b.next[key]
	if known && r.GetSequence() < next {
		return // of another recording of the same time
	}
	lost := int64(0)
	if known { // what was before the recording is not missing
		lost = r.GetSequence() - next
	}
	b.next[key] = r.GetSequence() + 1
	d := b.driveOf(key, r)
	if d == nil && r.GetLease() > 0 {
		d = &Drive{Robot: p.robot, Device: key.device, Who: r.GetHolder(), Token: r.GetCallerToken(),
			From: r.GetCallerAddress(), Epoch: r.GetEpoch(), Lease: r.GetLease(), Begin: timeOf(r.GetJudgeTime())}
		b.know(d)
		found[key] = append(found[key], d)
	}
	if d == nil {
		b.strays[key]++
		return
	}
	d.count(r, lost)
	d.note(p.path, m.Logged)
}

// driveOf returns the drive to which a command belongs; nil if none is known. One without a lease came during a drive.
func (b *Book) driveOf(l life, r *controlv1.CommandRecord) *Drive {
	if r.GetLease() > 0 {
		return b.byLease[lease{l, r.GetLease()}]
	}
	if r.GetHolder() == "" {
		return nil
	}
	for _, d := range slices.Backward(b.lives[l]) {
		if d.at(timeOf(r.GetJudgeTime())) {
			return d
		}
	}
	return nil
}

// note remembers where a command is.
func (d *Drive) note(path string, at time.Time) {
	if n := len(d.spans); n > 0 && d.spans[n-1].path == path {
		d.spans[n-1].last = at
		return
	}
	d.spans = append(d.spans, span{path, at, at})
}

// count adds a command to the tally.
func (d *Drive) count(r *controlv1.CommandRecord, lost int64) {
	at := timeOf(r.GetJudgeTime())
	if d.Tally == nil {
		d.Tally = &Tally{First: at, Refused: map[string]int64{}}
	}
	t := d.Tally
	t.Last = at
	t.Missing += lost
	if !d.Logged {
		d.End = at
	}
	if r.GetLease() == 0 {
		t.Strangers++
		return
	}
	sight := r.GetReport().GetSight()
	if sight.GetCamera() != "" {
		if d.cameras == nil {
			d.cameras = map[string]bool{}
		}
		d.cameras[sight.GetCamera()] = true
	}
	d.looked = d.looked || sight == nil && r.GetSeen() != nil
	if sight != nil && sight.GetAge() == nil {
		t.Unseen++
	}
	if verdict := verdictOf(r); verdict != accepted {
		if _, known := t.Refused[verdict]; !known && len(t.Refused) >= maxReasons {
			verdict = malformed
		}
		t.Refused[verdict]++
		return
	}
	t.Accepted++
	if f := r.GetFactor(); f > 0 && f < 1 {
		t.Slowed++
	}
	if sight.GetSpeed() > 0 {
		t.OldestPicture = max(t.OldestPicture, Seconds(sight.GetAge().AsDuration().Seconds()))
	}
}

// timeOf is a time of a message; zero if it is none.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if !t.IsValid() {
		return time.Time{}
	}
	return t.AsTime()
}

// maxReasons bounds how many reasons for refusals of a drive are told apart.
const maxReasons = 100

const (
	accepted  = "accepted"
	malformed = "malformed"
)

// verdictOf names what became of a command.
func verdictOf(r *controlv1.CommandRecord) string {
	v := r.GetReport().GetVerdict()
	if v == controlv1.CommandVerdict_COMMAND_VERDICT_UNSPECIFIED {
		return malformed
	}
	if _, known := controlv1.CommandVerdict_name[int32(v)]; !known {
		return fmt.Sprintf("verdict_%d", v)
	}
	return strings.ToLower(strings.TrimPrefix(v.String(), "COMMAND_VERDICT_"))
}
