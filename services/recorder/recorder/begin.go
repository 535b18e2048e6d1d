package recorder

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/write"
	"github.com/waldo-robot/waldo/services/recorder/reel"
)

// queueBytes is how much may wait for the disk.
const queueBytes = 32 << 20

// begin begins a recording, or goes on with that of the process before. r.doing is held.
func (r *recorder) begin(now time.Time) error {
	defer r.caughtUp()
	if err := r.room(leastRoom); err != nil {
		r.fails(err)
		return fmt.Errorf("nothing is recorded: %w", err)
	}
	before := r.resume(now)
	if before == nil {
		r.before = nil
	}
	r.mu.Lock()
	w, failed := r.wish, r.problem != ""
	r.mu.Unlock()
	papers := r.newPapers()
	current, err := r.load(w, now, before, papers)
	if err != nil {
		papers.close()
		r.fails(err)
		return fmt.Errorf("nothing is recorded: %w", err)
	}
	s := session{started: now, by: w.by, papers: papers, lookAt: now.Add(lookEvery)}
	event := w.event(audit.RecordingStarted, r.kit.Address().Device, current.Name())
	if before != nil {
		s.marks = slices.Clone(before.About.GetMarks())
		event.Reason = continued + event.Reason
	}
	r.before = nil
	r.record(current, s)
	papers.renew(current)
	r.kit.Log.Info("recording", "to", current.Name(), "why", w.reason, "by", w.by, "continued", before != nil)
	r.kit.Audit.Write(event)
	r.note()
	_ = r.room(0) // of what it is now one too many; that there is too little room is told by look
	r.ears.tune()
	r.ears.askAll()
	if failed {
		signal(r.left) // what could not be completed when it failed
	}
	return nil
}

// load begins the file of a recording; before is one that goes on, or nil.
func (r *recorder) load(w wish, now time.Time, before *resumed, papers *papers) (*reel.Reel, error) {
	early := 0
	r.mu.Lock()
	if r.buffer != nil {
		early = r.buffer.Bytes()
	}
	r.mu.Unlock()
	c := reel.Config{
		Folder: r.owner, Robot: r.kit.Address().Robot, Finished: r.finished,
		Head:  func(name string, part int) write.Head { return r.head(w, name, part, papers) },
		Write: write.Config{QueueBytes: queueBytes + early}, // all of the pre-roll comes at once
	}
	if before == nil {
		return reel.Begin(now, c)
	}
	defer before.Done()
	c.Head = func(name string, part int) write.Head {
		h := r.head(w, name, part, papers)
		if part == before.Next.Number {
			h.Metadata[write.Resumed] = "true"
		}
		return h
	}
	return reel.Resume(now, before.at, before.Next, before.About, c)
}

// record has messages go to a recording from now on, those of the pre-roll first.
func (r *recorder) record(current *reel.Reel, s session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reel, r.problem, r.retry = current, "", time.Time{}
	r.session = s
	if r.buffer != nil {
		for _, m := range r.buffer.Take() {
			_ = current.Write(m) // the recording tells when it fails
		}
	}
	_ = current.Write(r.stateMessage(time.Now()))
}

// end completes the recording, if there is one, and returns what is in it. r.doing is held.
func (r *recorder) end(why string) (*recorderv1.Recording, error) {
	r.mu.Lock()
	current, w, papers := r.reel, r.wish, r.session.papers
	r.mu.Unlock()
	if current == nil {
		return nil, nil
	}
	papers.renew(current) // what was answered just now
	papers.close()
	r.mu.Lock()
	_ = current.Write(r.stateMessage(time.Now()))
	r.reel, r.ending = nil, current
	r.mu.Unlock()
	err := current.End()
	s := current.Stats()
	r.mu.Lock()
	r.lost += int64(s.Lost)
	result := r.summary(current, s)
	r.ending, r.session = nil, session{}
	r.mu.Unlock()
	result.Open = false
	r.kit.Log.Info("recorded", "to", current.Name(), "bytes", s.Bytes, "messages", s.Messages, "lost", s.Lost, "why", why)
	event := w.event(audit.RecordingStopped, r.kit.Address().Device, current.Name())
	event.Reason = why
	r.kit.Audit.Write(event)
	r.ears.tune()
	return result, err
}

// finished is called for each file that is complete.
func (r *recorder) finished(f reel.Finished) {
	r.metrics.files.Inc()
	r.attest(audit.RecordingFinished, f.File, hex.EncodeToString(f.Sum[:]), "")
}

// room deletes what is not kept, and fails if there is too little room then; more is wanted beside what is to be left
// free.
func (r *recorder) room(more int64) error {
	k := r.config.Keep
	_, deleted, err := r.owner.Room(folder.Keep{Recordings: k.Recordings, Free: int64(k.Free) + more,
		DeleteOldest: k.Full == fullDelete})
	for _, name := range deleted {
		r.kit.Log.Info("a recording was deleted to make room", "name", name)
		r.kit.Audit.Write(audit.Event{Kind: audit.RecordingDeleted, Device: r.kit.Address().Device, What: name,
			Reason: "keep"})
	}
	return err
}

// head is what a file begins with.
func (r *recorder) head(w wish, name string, part int, papers *papers) write.Head {
	first := name
	if n, ok := folder.Parse(name); ok {
		first = n.Recording().String()
	}
	h := write.Head{Metadata: map[string]string{
		"robot": r.kit.Address().Robot, "recording": first, "part": strconv.Itoa(part), "recorder": r.kit.Address().Device,
		"version": version.Version, "commit": version.Commit(), "machine": machine(), "started_by": w.by, "reason": w.reason,
	}}
	if r.config.robot != nil {
		if text, err := r.config.robot.Redacted(); err == nil { // it was read before
			h.Attachments = append(h.Attachments,
				write.Attachment{Name: "robot.yaml", MediaType: "application/yaml", Data: text})
		}
	}
	h.Attachments = append(h.Attachments, papers.head()...)
	return h
}

// tellLosses puts on record that messages were lost.
func (r *recorder) tellLosses(current *reel.Reel, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if lost := r.lostNow(); lost != r.session.lostTold {
		r.session.lostTold = lost
		_ = current.Write(r.stateMessage(now)) // the recording tells when it fails
	}
}

// orUnknown is a name for people.
func orUnknown(name string) string { return cmp.Or(name, "unknown") }
