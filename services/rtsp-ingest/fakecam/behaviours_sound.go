package fakecam

import "strings"

func jpegBehaviours() []Behaviour {
	jpeg := func(name, seen, source, clip string, hooks func() Hooks) Behaviour {
		return Behaviour{"jpeg-" + name, 29, seen, source, hooked(clip, hooks), false}
	}
	zero := jpeg("size-0", "width and height are 0", "RFC 2435", "plain.mjpeg", Packets(func(p *Packet) {
		p.Payload[6], p.Payload[7] = 0, 0
	}))
	zero.Dark = true
	return []Behaviour{
		jpeg("q-255", "JPEG with tables in each picture", "RFC 2435", "plain.mjpeg", nil),
		jpeg("q-50", "JPEG with Q 50 and no tables", "gortsplib#566", "plain.mjpeg", JPEGQuality(50)),
		jpeg("q-110", "JPEG with Q 110, which is reserved", "gortsplib", "plain.mjpeg", JPEGQuality(110)),
		jpeg("restart", "JPEG with restart markers (type 65)", "v4l2rtspserver#361", "restart.mjpeg", nil),
		zero,
	}
}

// soundBehaviours have sound beside H.264. Whatever becomes of it, the pictures go on.
func soundBehaviours() []Behaviour {
	sound := func(name, seen, source string, t Track, pairs ...string) Behaviour {
		return Behaviour{"sound-" + name, 30, seen, source, Config{
			Tracks: append(video("baseline.h264", nil), t),
			SDP:    func(sdp, _ string) string { return strings.NewReplacer(pairs...).Replace(sdp) },
		}, false}
	}
	ulaw, opus, aac := Track{Media: Tone(PCMU, 8000)}, Track{Media: Clip("tone.opus")}, Track{Media: Clip("tone.aac")}
	inside := aac
	inside.Hooks = Units(ADTSInside)
	wrong := aac
	wrong.Hooks = Packets(func(p *Packet) { p.Payload[2], p.Payload[3] = 0xff, 0xf8 })
	return []Behaviour{
		sound("pcmu", "G.711 µ-law", many, ulaw),
		sound("pcma", "G.711 A-law", many, Track{Media: Tone(PCMA, 8000)}),
		sound("pcma-16k", "G.711 A-law at 16 kHz", many, Track{Media: Tone(PCMA, 16000)}),
		sound("l16", "L16 at 16 kHz", many, Track{Media: Tone(L16, 16000)}),
		sound("aac", "AAC at 16 kHz", many, aac),
		sound("aac-adts", "ADTS inside AAC", "go2rtc#1328", inside),
		sound("aac-length", "AAC with a wrong length", "go2rtc#1328", wrong),
		sound("opus", "Opus", "RFC 7587", opus),
		sound("opus-mono", "Opus with one channel in the SDP", "go2rtc#1506", opus, "opus/48000/2", "opus/48000/1"),
		sound("g726", "G.726", many, Track{Media: Clip("tone.g726")}),
		sound("latm", "AAC in LATM", many, Track{Media: Multiplexed(Clip("tone.aac"))}),
		sound("latm-config", "AAC in LATM without cpresent", "RFC 6416", Track{Media: Multiplexed(Clip("tone.aac"))},
			"cpresent=0; ", ""),
		sound("changes", "the payload type changes after a second", "go2rtc#260: Dahua VTO",
			Track{Media: Tone(PCMU, 8000), Hooks: AfterUnit(50, func(p *Packet) { p.PayloadType = 8 })}),
	}
}
