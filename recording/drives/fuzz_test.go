package drives

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
)

// FuzzRecords: whatever a record of a command has, what it tells can be printed.
func FuzzRecords(f *testing.F) {
	for _, r := range []*controlv1.CommandRecord{
		{}, {Epoch: 7, Sequence: 1, Lease: 1, JudgeTime: timestamppb.Now(), Factor: .5, Report: &controlv1.CommandReport{
			Verdict: yes, Sight: &controlv1.Sight{Camera: "front", Age: durationpb.New(time.Second), Speed: 1}}},
		{Epoch: -1, Sequence: -1, Lease: -1, JudgeTime: &timestamppb.Timestamp{Seconds: 1 << 62}, Factor: math.NaN(),
			Seen: &timestamppb.Timestamp{Nanos: -1}, Report: &controlv1.CommandReport{Verdict: -1,
				Age: &durationpb.Duration{Seconds: -1 << 62}, Sight: &controlv1.Sight{Speed: math.Inf(1)}}},
		{Epoch: 7, Sequence: 1 << 62, Holder: "anna", JudgeTime: timestamppb.Now()},
	} {
		data, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, data)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		b := newBook(Config{})
		found := map[life][]*Drive{}
		channel := &read.Channel{Waldo: recording.Channel{Device: "motors"}}
		for _, data := range [][]byte{first, second} {
			r := &controlv1.CommandRecord{}
			if proto.Unmarshal(data, r) != nil {
				return
			}
			b.countRecord(part{path: "x"}, read.Message{Channel: channel, Logged: time.Unix(1, 0)}, r, found)
		}
		for _, list := range found {
			b.Drives = append(b.Drives, list...)
		}
		b.number()
		b.missing()
		if _, err := json.Marshal(b); err != nil {
			t.Error(err)
		}
		for _, d := range b.Drives {
			teller := &teller{book: b, drive: d, yield: func(c *Command) error {
				_, err := json.Marshal(c)
				return err
			}}
			for _, data := range [][]byte{first, second} {
				teller.command(read.Message{Channel: channel, Logged: time.Unix(1, 0), Data: data})
			}
			if err := teller.tell(time.Time{}); err != nil {
				t.Error(err)
			}
		}
	})
}
