package peer

import (
	"context"
	"errors"
	"fmt"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/peer/ear"
	"github.com/waldo-robot/waldo/services/peer/sender"
	"github.com/waldo-robot/waldo/services/peer/slot"
)

// mostVideo is how many bytes a second a program may send: 1080p of BGR24 at 170 pictures a second.
const mostVideo = 1 << 30

// take makes what takes the pictures and the sound of a program.
func (d *driver) take(p *slot.Publication) taker {
	t := &videoTaker{driver: d, slot: p, last: -1}
	if d.sound != nil {
		t.talk = d.sound.ear.Talk()
	}
	return t
}

type videoTaker struct {
	driver *driver
	slot   *slot.Publication
	talk   *ear.Talk // nil if no sound is wanted
	last   int64     // sequence of the last frame of video
}

func (t *videoTaker) close() {
	if t.talk != nil {
		t.talk.Close()
	}
}

func (t *videoTaker) take(ctx context.Context, r *peerv1.PublishRequest) error {
	switch step := r.GetStep().(type) {
	case *peerv1.PublishRequest_Video:
		return t.video(step.Video)
	case *peerv1.PublishRequest_Audio:
		return t.audio(ctx, step.Audio)
	}
	return errors.New("step: this slot carries video: send messages through one with `carries: messages`")
}

func (t *videoTaker) video(f *mediav1.VideoFrame) error {
	if err := sender.Check(f); err != nil {
		return err
	}
	if media.InterCoded(f.GetFormat().GetMediaType()) {
		if f.GetSequence() <= t.last {
			return fmt.Errorf("video.sequence is %d after %d: count one up for each frame, so that a loss is seen",
				f.GetSequence(), t.last)
		}
		t.last = f.GetSequence()
	}
	return t.slot.Video(f)
}

func (t *videoTaker) audio(ctx context.Context, f *mediav1.AudioFrame) error {
	if t.talk == nil {
		return errors.New("audio: this slot has no sound: leave out `sound: false`")
	}
	if err := t.slot.Alive(); err != nil {
		return err
	}
	return t.driver.sound.say(ctx, t.talk, f)
}
