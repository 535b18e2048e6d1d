package fakecam

import (
	"regexp"
	"time"

	"github.com/pion/rtcp"
)

func timeBehaviours() []Behaviour {
	const clip = "baseline.h264"
	const second = VideoClock
	nearWrap := ^uint32(0) - second
	repeat := func() Hooks {
		var last uint32
		return Hooks{Unit: func(s *Sent) bool {
			if s.Number%2 == 1 {
				s.Timestamp = last + 1 // one tick on: with the same time it would be the same picture
			}
			last = s.Timestamp
			return true
		}}
	}
	equal := func() Hooks {
		var first uint32
		return Hooks{Unit: func(s *Sent) bool {
			if s.Number == 0 {
				first = s.Timestamp
			}
			s.Timestamp = first
			return true
		}}
	}
	return []Behaviour{
		{"time-jumps", 22, "timestamps jump by 1000 s after 30 pictures", "gortsplib", hooked(clip, Shift(30,
			1000*second)), false},
		{"time-goes-back", 22, "timestamps go back by 10 s after 30 pictures", "go2rtc PR#1943: Tapo",
			hooked(clip, Shift(30, -10*second)), false},
		{"time-single", 22, "each 20th picture is hours off", "mediamtx PR#6255: Intelbras",
			hooked(clip, ShiftOne(20, 7200*second)), false},
		{"time-stands", 22, "each second timestamp nearly repeats the one before", "mediamtx PR#2876", hooked(clip,
			repeat), false},
		{"time-wraps", 22, "timestamps wrap after a second", "RFC 3550",
			Config{Tracks: video(clip, func(t *Track) { t.Timestamp = &nearWrap })}, false},
		{"rate-slow", 23, "stamped as 25 pictures a second, 21 are sent", "open-nvr#229", hooked(clip,
			Scale(21.0/25)), false},
		{"rate-fast", 23, "timestamps run 10.5 times too fast", "go2rtc#2398", hooked(clip, Scale(10.5)), false},
		{"rate-none", 23, "all timestamps are equal", "go2rtc", hooked(clip, equal), false},
	}
}

func clockBehaviours() []Behaviour {
	const clip = "baseline.h264"
	reported := func(name string, group int, seen, source string, r Reports) Behaviour {
		r.Every = 200 * time.Millisecond
		return Behaviour{"clock-" + name, group, seen, source,
			Config{Tracks: video(clip, func(t *Track) { t.Reports = r })}, false}
	}
	ntp := func(f func(now time.Time, since time.Duration) time.Time) Reports {
		return Reports{NTP: func(now time.Time, since time.Duration) uint64 { return NTP(f(now, since)) }}
	}
	zero := Reports{NTP: func(time.Time, time.Duration) uint64 { return 0 }}
	cut := Reports{Raw: func(b []byte) []byte { return b[:len(b)-6] }}
	otherClock := Reports{Every: 200 * time.Millisecond, NTP: func(now time.Time, _ time.Duration) uint64 {
		return NTP(now.Add(-2 * time.Second))
	}}
	both := append(video(clip, nil), Track{Media: Tone(PCMU, 8000), Reports: otherClock})
	swing := func(now time.Time, since time.Duration) time.Time {
		if since/(time.Second)%2 == 1 {
			return now.Add(1700 * time.Millisecond)
		}
		return now
	}
	step := func(now time.Time, since time.Duration) time.Time {
		if since > 2*time.Second {
			return now.Add(time.Hour)
		}
		return now
	}
	closes := hooked(clip, nil)
	closes.Closes = 2 * time.Second
	return []Behaviour{
		reported("never", 24, "no sender reports", many, Reports{Never: true}),
		reported("1900", 24, "reports with time 0, which is 1900", many, zero),
		reported("1970", 24, "reports of 1970", many,
			ntp(func(_ time.Time, since time.Duration) time.Time { return time.Unix(0, int64(since)) })),
		reported("boot", 24, "reports count from the start of the camera", many,
			Reports{NTP: func(_ time.Time, since time.Duration) uint64 { return uint64(since.Seconds() * (1 << 32)) }}),
		reported("local", 24, "reports in local time, 9 h ahead", many,
			ntp(func(now time.Time, _ time.Duration) time.Time { return now.Add(9 * time.Hour) })),
		reported("cut", 24, "reports are cut off", "mediamtx#5355: Hanwha", cut),
		reported("length", 24, "reports with a wrong count of blocks", "mediamtx#5355: Hanwha",
			Reports{Raw: func(b []byte) []byte { b[0] |= 3; return b }}),
		reported("swings", 24, "reports swing by 1.7 s", "raptor#32, #43", ntp(swing)),
		reported("other-ssrc", 24, "reports of another SSRC", "gortsplib",
			Reports{Edit: func(r *rtcp.SenderReport) { r.SSRC ^= 0xff }}),
		{"clock-two", 24, "sound reports another clock than pictures", "raptor#43", Config{Tracks: both}, false},
		reported("steps", 25, "the clock is set an hour ahead after 2 s", "onvif/specs#184", ntp(step)),
		reported("2000", 25, "the clock starts in 2000", "cameras without a battery", ntp(
			func(_ time.Time, since time.Duration) time.Time {
				return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(since)
			})),
		{"closes", 25, "the connection ends 2 s after PLAY, as when the clock is set", "onvif/specs#184", closes, false},
	}
}

func pictureBehaviours() []Behaviour {
	late := Config{Tracks: video("baseline.h264", func(t *Track) { t.StartAt = 5 })}
	framing := Config{Transport: Transport{Wire: HalfFrames(100)}}
	behaviour := func(name, seen, source, clip string) Behaviour {
		return Behaviour{name, 28, seen, source, Config{Tracks: video(clip, nil)}, false}
	}
	obeys := func(name, seen string, o Obeys) Behaviour {
		return Behaviour{"obeys-" + name, 26, seen, "viamrtsp: few cameras obey",
			Config{Tracks: video("longgop.h264", nil), Obeys: o}, false}
	}
	return []Behaviour{
		{"long-gop", 26, "a key picture each 16 s", "Frigate docs; mediamtx#1209",
			Config{Tracks: video("longgop.h264", nil)}, false},
		{"mid-gop", 26, "the stream begins with pictures that need an earlier one", "mediamtx#371", late, false},
		obeys("pli", "a key picture each 16 s, and when a PLI asks for one", Obeys{PLI: true}),
		obeys("fir", "a key picture each 16 s, and when a FIR asks for one", Obeys{FIR: true}),
		{"half-frames", 27, "each 100th interleaved frame is half missing", "moonfire-nvr#302", framing, false},
		behaviour("b-frames", "H.264 with B-frames", "mediamtx#1491", "bframes.h264"),
		behaviour("h265", "H.265 only", "mediamtx#1631: EZVIZ", "plain.h265"),
		behaviour("h265-b-frames", "H.265 with B-frames", "mediamtx#1491", "bframes.h265"),
		behaviour("high", "H.264 High", many, "high.h264"),
		behaviour("ten-bit", "H.264 with 10 bit", "mediamtx", "tenbit.h264"),
		behaviour("interlaced", "H.264, interlaced", "mediamtx", "interlaced.h264"),
		behaviour("mpeg-4", "MPEG-4 part 2", "old cameras", "plain.m4v"),
		behaviour("mpeg-4-b-frames", "MPEG-4 part 2 with B-frames", "old cameras", "bframes.m4v"),
		{"mpeg-4-unmarked", 28, "MPEG-4 part 2 without markers", "old cameras",
			hooked("plain.m4v", Packets(func(p *Packet) { p.Marker = false })), false},
		{"mpeg-4-config", 28, "MPEG-4 part 2, configured in the stream only", "old cameras", Config{
			Tracks: video("plain.m4v", nil),
			SDP:    func(sdp, _ string) string { return regexp.MustCompile("config=[0-9A-F]+").ReplaceAllString(sdp, "") },
		}, false},
	}
}

const many = "cameras of many makes"
