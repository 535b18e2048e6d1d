package fakecam

import (
	"slices"
	"strings"
	"time"
)

// Behaviour is one oddity of real cameras.
type Behaviour struct {
	Name   string // of a test and of the program's --behave
	Group  int    // behaviours with one number are kinds of one oddity
	Seen   string // what happens
	Source string // where it was seen: a camera, or a project and the number of an issue
	Config Config
	// Dark says that nothing can be shown of what the camera sends. Of every other one, a good client shows pictures.
	Dark bool
}

// Behaviours returns all that are known, in the order of their groups. Each call makes new ones, which may be changed.
func Behaviours() []Behaviour {
	return slices.Concat(optionBehaviours(), requestBehaviours(), keepaliveBehaviours(), sessionBehaviours(),
		loginBehaviours(), urlBehaviours(), baseBehaviours(), sectionBehaviours(), udpBehaviours(), channelBehaviours(),
		viewerBehaviours(), backChannelBehaviours(), parameterBehaviours(), packetBehaviours(), markerBehaviours(),
		lossBehaviours(), timeBehaviours(), clockBehaviours(), pictureBehaviours(), jpegBehaviours(), soundBehaviours(),
		answerBehaviours(), talkBehaviours(), descriptionBehaviours(), foreignBehaviours(), wrapBehaviours(),
		countBehaviours(), keylessBehaviours())
}

// BehaviourNamed returns one of them.
func BehaviourNamed(name string) (Behaviour, bool) {
	all := Behaviours()
	i := slices.IndexFunc(all, func(b Behaviour) bool { return b.Name == name })
	if i < 0 {
		return Behaviour{}, false
	}
	return all[i], true
}

// video is the only track of a config.
func video(clip string, change func(*Track)) []Track {
	t := Track{Media: Clip(clip)}
	if change != nil {
		change(&t)
	}
	return []Track{t}
}

// hooked is a clip whose stream is changed on its way.
func hooked(clip string, hooks func() Hooks) Config {
	return Config{Tracks: video(clip, func(t *Track) { t.Hooks = hooks })}
}

// edit is an SDP function that replaces text.
func edit(from, to string) func(string, string) string {
	return func(sdp, _ string) string { return strings.ReplaceAll(sdp, from, to) }
}

func answer(a Answer) Config { return Config{Answers: []Answer{a}} }

func optionBehaviours() []Behaviour {
	const seen = "viamrtsp rtsp.go: FLIR"
	return []Behaviour{
		{"options-404", 1, "OPTIONS is not found", seen, answer(Answer{Method: "OPTIONS", Status: 404}), false},
		{"options-405", 1, "OPTIONS is not allowed", seen, answer(Answer{Method: "OPTIONS", Status: 405}), false},
		{"options-501", 1, "OPTIONS is not implemented", seen, answer(Answer{Method: "OPTIONS", Status: 501}), false},
		{"options-silent", 1, "OPTIONS is never answered", seen, answer(Answer{Method: "OPTIONS", Silent: true}), false},
		{"slow-describe", 2, "DESCRIBE is answered after 4 s", "go2rtc#1328",
			answer(Answer{Method: "DESCRIBE", Delay: 4 * time.Second}), false},
		{"slow-picture", 2, "the first picture comes 5 s after PLAY", "Frigate#11041, #16795",
			Config{FirstPicture: 5 * time.Second}, false},
	}
}

// requestBehaviours are cameras that ask.
func requestBehaviours() []Behaviour {
	asks := func(method, seen, source string) Behaviour {
		return Behaviour{"asks-" + strings.ToLower(strings.ReplaceAll(method, "_", "-")), 3, seen, source,
			Config{Asks: []Ask{{Method: method, After: 200 * time.Millisecond, Every: time.Second}}}, false}
	}
	return []Behaviour{
		asks("OPTIONS", "the camera sends OPTIONS, as a keepalive", "gortsplib#93"),
		asks("GET_PARAMETER", "the camera sends GET_PARAMETER", "gortsplib#93"),
		asks("SET_PARAMETER", "the camera sends SET_PARAMETER", "gortsplib#93"),
		asks("ANNOUNCE", "the camera announces another description", "RFC 2326"),
		asks("REDIRECT", "the camera sends REDIRECT", "RFC 2326"),
	}
}

func keepaliveBehaviours() []Behaviour {
	enforced := func(timeout time.Duration, methods ...string) Config {
		return Config{Session: Session{Timeout: timeout, Enforce: true, Keepalive: methods}}
	}
	playing := func(r *Request, _ int) bool { return r.Header.Get("Session") != "" }
	unanswered := Config{Session: Session{Timeout: 5 * time.Second}, Answers: []Answer{
		{Method: "OPTIONS", When: playing, Silent: true}, {Method: "GET_PARAMETER", When: playing, Silent: true},
		{Method: "SET_PARAMETER", When: playing, Silent: true},
	}}
	hangup := enforced(5*time.Second, "OPTIONS")
	hangup.Answers = []Answer{{Method: "GET_PARAMETER", Hangup: true}}
	bad := enforced(5 * time.Second)
	bad.Answers = []Answer{{Method: "SET_PARAMETER", Status: 400}}
	return []Behaviour{
		{"keepalive-get-parameter", 4, "only GET_PARAMETER keeps the session", "VLC's server; go2rtc PR#2409",
			enforced(5*time.Second, "GET_PARAMETER"), false},
		{"keepalive-options", 4, "only OPTIONS keeps the session, though Public lists GET_PARAMETER", "SharpRTSP#63",
			enforced(5*time.Second, "OPTIONS"), false},
		{"keepalive-hangup", 4, "GET_PARAMETER ends the connection", "retina 0.1.0: GW", hangup, false},
		{"keepalive-unanswered", 4, "no keepalive is answered", "gortsplib PR#412", unanswered, false},
		{"keepalive-set-parameter-400", 4, "SET_PARAMETER is a bad request", "mediamtx#842", bad, false},
		{"keepalive-often", 4, "the session ends without a keepalive within 3 s", "gortsplib PR#265; mediamtx#1066",
			enforced(3 * time.Second), false},
	}
}

// sessionBehaviours are forms of the Session field.
func sessionBehaviours() []Behaviour {
	field := func(name, seen, source string, f func(id string, n int) string) Behaviour {
		return Behaviour{"session-" + name, 5, seen, source, Config{Session: Session{Field: f}}, false}
	}
	return []Behaviour{
		field("spaces", "spaces around the id and the timeout", "retina testdata",
			func(id string, _ int) string { return " " + id + " ; timeout = 60 " }),
		field("60s", "timeout=60s", "retina testdata", func(id string, _ int) string { return id + ";timeout=60s" }),
		field("empty-timeout", "timeout=", "retina testdata", func(id string, _ int) string { return id + ";timeout=" }),
		field("upper-case", "Timeout=60", "retina testdata", func(id string, _ int) string { return id + ";Timeout=60" }),
		field("no-timeout", "no timeout", "RFC 2326", func(id string, _ int) string { return id }),
		field("changes", "the id changes between answers, and the newest counts", "retina 0.4.6",
			func(id string, n int) string { return id + string(rune('a'+min(n, 1))) + ";timeout=60" }),
	}
}
