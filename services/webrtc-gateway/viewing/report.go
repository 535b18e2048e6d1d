package viewing

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

// The bounds of a report, and of each of its videos.
const (
	maxVideos   = 32
	maxAges     = 120
	maxAge      = time.Minute
	maxPictures = 10_000 // a second of the fastest camera, many times over
	// soonest is how soon after the last a report may come; it should come once a second, and timers are not exact.
	soonest = 500 * time.Millisecond
)

// Shown takes a report of what the viewer has shown. Sent says which devices' videos the viewer is sent: what is said
// of others is ignored, and so is a report that comes too soon after the last. A report that breaks a bound is an error
// with codes.InvalidArgument that names the field.
func (v *Viewer) Shown(r *signalingv1.Shown, sent func(device string) bool, now time.Time) error {
	if err := check(r); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || !v.last.IsZero() && now.Sub(v.last) < soonest {
		return nil
	}
	v.last = now
	for _, video := range r.GetVideos() {
		if sent(video.GetDevice()) {
			v.observe(video)
		}
	}
	return nil
}

// observe counts what was shown of one video; v.mu is held.
func (v *Viewer) observe(video *signalingv1.ShownVideo) {
	device := video.GetDevice()
	ages := v.meters.ages.WithLabelValues(device, v.label)
	for _, ms := range video.GetAgesMs() {
		ages.Observe(float64(ms) / 1000)
	}
	v.meters.freezes.WithLabelValues(device, v.label).Add(float64(video.GetFreezes()))
	v.meters.frozen.WithLabelValues(device, v.label).Add(float64(video.GetFrozenMs()) / 1000)
}

// check reports what is wrong with a report.
func check(r *signalingv1.Shown) error {
	if n := len(r.GetVideos()); n > maxVideos {
		return status.Errorf(codes.InvalidArgument, "shown.videos: %d are too many: at most %d", n, maxVideos)
	}
	for i, video := range r.GetVideos() {
		if n := len(video.GetAgesMs()); n > maxAges {
			return invalid(i, "ages_ms", "%d are too many: at most %d, a second's", n, maxAges)
		}
		for _, ms := range video.GetAgesMs() {
			if !inMinute(ms) {
				return invalid(i, "ages_ms", "%v is out of range: 0 to 60000", ms)
			}
		}
		if n := video.GetCount(); n < 0 || n > maxPictures {
			return invalid(i, "count", "%d is out of range: 0 to %d", n, maxPictures)
		}
		if n := video.GetFreezes(); n < 0 || n > maxPictures {
			return invalid(i, "freezes", "%d is out of range: 0 to %d", n, maxPictures)
		}
		if !inMinute(video.GetFrozenMs()) {
			return invalid(i, "frozen_ms", "%v is out of range: 0 to 60000", video.GetFrozenMs())
		}
	}
	return nil
}

// inMinute is false for NaN as well.
func inMinute(ms float32) bool { return ms >= 0 && float64(ms) <= float64(maxAge.Milliseconds()) }

func invalid(i int, field, format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, "shown.videos[%d].%s: "+format, append([]any{i, field}, args...)...)
}
