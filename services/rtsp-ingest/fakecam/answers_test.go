package fakecam_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// talk sends OPTIONS and DESCRIBE, and returns the pieces in which the answers come.
func talk(t *testing.T, camera *fakecam.Camera) (pieces []string) {
	nc, err := net.Dial("tcp", camera.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, method := range []string{"OPTIONS ", "DESCRIBE "} {
		_, _ = io.WriteString(nc, method+camera.URL()+" RTSP/1.0\r\nCSeq: 5\r\n\r\n")
		buffer := make([]byte, 64<<10)
		for got := ""; ; {
			// The answer begins at once, and ends when nothing more comes.
			limit := 20 * time.Second
			if got != "" {
				limit = 200 * time.Millisecond
			}
			_ = nc.SetReadDeadline(time.Now().Add(limit))
			n, err := nc.Read(buffer)
			if got += string(buffer[:n]); n > 0 {
				pieces = append(pieces, string(buffer[:n]))
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return pieces
}

func anywhere(like func(all string) bool) func([]string) bool {
	return func(pieces []string) bool { return like(strings.Join(pieces, "")) }
}

func tells(texts ...string) func([]string) bool {
	return anywhere(func(all string) bool {
		for _, text := range texts {
			if !strings.Contains(all, text) {
				return false
			}
		}
		return true
	})
}

func lacking(text string) func([]string) bool {
	return anywhere(func(all string) bool { return !strings.Contains(all, text) })
}

func and(a, b func([]string) bool) func([]string) bool {
	return func(pieces []string) bool { return a(pieces) && b(pieces) }
}

// counts compares the Content-Length of a description with its length.
func counts(like func(says, is int) bool) func([]string) bool {
	return anywhere(func(all string) bool {
		_, rest, _ := strings.Cut(all, "Content-Length: ")
		number, rest, _ := strings.Cut(rest, "\r\n")
		_, body, _ := strings.Cut("\r\n"+rest, "\r\n\r\n")
		says := 0
		for _, digit := range number {
			says = 10*says + int(digit-'0')
		}
		return number != "" && like(says, len(body))
	})
}

// odd says how the forms of answers show in the pieces of talk.
var odd = map[string]func([]string) bool{
	"answer-lf":                lacking(" 200 OK\r\n"),
	"answer-folded":            tells("Transport: ", ";\r\n\t"),
	"answer-no-reason":         tells("RTSP/1.0 200\r\n"),
	"answer-one-number":        tells("CSeq: 1\r\n"),
	"answer-no-number":         lacking("CSeq"),
	"answer-spaced-number":     tells("CSeq:  5  \r\n"),
	"answer-long":              tells(strings.Repeat("x", 20000)),
	"answer-twice":             anywhere(func(all string) bool { return strings.Count(all, "200 OK") == 4 }),
	"answer-continue":          tells("RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\nRTSP/1.0 200 OK"),
	"answer-empty-lines":       anywhere(func(all string) bool { return strings.HasPrefix(all, "\r\n\r\n") }),
	"answer-pieces":            func(pieces []string) bool { return len(pieces) > 4 },
	"answer-uncounted":         and(lacking("Length"), tells("Type")),
	"answer-untyped":           and(lacking("Length"), lacking("Type")),
	"answer-counts-too-much":   counts(func(says, is int) bool { return says > is }),
	"answer-counts-too-little": counts(func(says, is int) bool { return says < is }),
}

func TestOddAnswers(t *testing.T) {
	reference := talk(t, fakecam.Start(t, fakecam.Config{}))
	for name, check := range odd {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, ok := fakecam.BehaviourNamed(name)
			if !ok {
				t.Fatal("there is no such behaviour")
			}
			if name == "answer-folded" { // in answers that talk does not ask for
				c := dial(t, fakecam.Start(t, b.Config))
				c.play("")
				if !check([]string{c.answers["SETUP"]}) {
					t.Errorf("it does not show: %q", c.answers["SETUP"])
				}
				return
			}
			if check(reference) {
				t.Error("it shows with a camera without oddities too")
			}
			if pieces := talk(t, fakecam.Start(t, b.Config)); !check(pieces) {
				t.Errorf("it does not show: %q", pieces)
			}
		})
	}
}

func start(t *testing.T, name string) *client {
	t.Helper()
	b, ok := fakecam.BehaviourNamed(name)
	if !ok {
		t.Fatal("there is no such behaviour")
	}
	return dial(t, fakecam.Start(t, b.Config))
}

func TestGreeting(t *testing.T) {
	c := start(t, "greeting")
	if c.do("DESCRIBE", c.camera.URL()); !c.ended {
		t.Error("DESCRIBE is taken as the first request")
	}
	c = dial(t, c.camera)
	c.do("OPTIONS", c.camera.URL())
	if got := c.do("DESCRIBE", c.camera.URL()); !strings.Contains(got, " 200 ") {
		t.Errorf("DESCRIBE behind OPTIONS: %q", got)
	}
}

func TestPlaysSilently(t *testing.T) {
	c := start(t, "play-silent")
	c.do("DESCRIBE", c.camera.URL())
	c.do("SETUP", c.camera.URL()+"/trackID=0", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
	c.send("PLAY", c.camera.URL(), "Session: "+c.session("SETUP"))
	if !c.until(func(c *client) bool { return len(c.packets) > 10 }) || c.answers[""] != "" {
		t.Errorf("%d packets, answer %q", len(c.packets), c.answers[""])
	}
}

func TestRangeIsRefused(t *testing.T) {
	c := start(t, "play-range")
	c.do("DESCRIBE", c.camera.URL())
	c.do("SETUP", c.camera.URL()+"/trackID=0", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
	session := "Session: " + c.session("SETUP")
	for field, want := range map[string]string{"Range: npt=0-": " 457 ", "X-Nothing: 1": " 200 "} {
		if got := c.do("PLAY", c.camera.URL(), session, field); !strings.Contains(got, want) {
			t.Errorf("PLAY with %s: %q", field, got)
		}
	}
}
