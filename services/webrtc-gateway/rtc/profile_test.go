package rtc

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestProfileOfTheAnswer: of the codecs that a player offers, the one that is like the stream is agreed on, from the
// first player on. A player that offers nothing like it gets what it offers.
func TestProfileOfTheAnswer(t *testing.T) {
	const one = "packetization-mode=1;profile-level-id="
	browser := []string{one + "42001f", "packetization-mode=0;profile-level-id=42001f", one + "42e01f", one + "4d001f",
		one + "64001f", one + "640c1f"}
	for _, tt := range []struct {
		name, stream string // profile and flags of its parameter sets
		offers       []string
		want         string
	}{
		{"constrained baseline", "42c0", browser, one + "42e01f"},
		{"baseline", "4200", browser, one + "42001f"},
		{"main", "4d00", browser, one + "4d001f"},
		{"high", "6400", browser, one + "64001f"},
		{"constrained high", "640c", browser, one + "640c1f"},
		{"main, by a decoder of high", "4d00", []string{one + "42e01f", one + "64001f"}, one + "64001f"},
		{"high, as a Python peer has it", "6400", []string{one + "42001f", one + "42e01f"}, one + "42e01f"},
		{"high, for one profile", "6400", []string{one + "42001f"}, one + "42001f"},
		{"extended", "5800", browser, one + "42e01f"},
		{"mode 0 is the last choice", "6400", []string{"packetization-mode=0;profile-level-id=64001f", one + "42e01f"}, one +
			"42e01f"},
		{"no parameters", "6400", []string{""}, ""},
		{"odd parameters", "6400", []string{one + "zz", "profile-level-id;packetization-mode=1 ; x"}, one + "zz"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, c, _ := newStudio(t)
			profile, err := hex.DecodeString(tt.stream)
			if err != nil {
				t.Fatal(err)
			}
			c.profile = profile
			far, near := newPair(t, e, 1, 10)
			text, err := far.Offer(nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := near.Answer(t.Context(), listing(t, text, tt.offers), []Track{{MID: "0", Stream: left}})
			if err != nil {
				t.Fatal(err)
			}
			_, got, _ := strings.Cut(answer, "a=fmtp:")
			got, _, _ = strings.Cut(got, "\r\n")
			if _, got, _ = strings.Cut(got, " "); got != tt.want {
				t.Errorf("agreed on %q, want %q", got, tt.want)
			}
		})
	}
}

// listing makes an offer list H.264 with parameters, from payload type 96 on.
func listing(t *testing.T, text string, parameters []string) string {
	t.Helper()
	text = number(t, text, []offered{{stream: left, pt: 96, fmtp: parameters[0]}})
	formats := "SAVPF 96"
	var lines strings.Builder
	for i, p := range parameters[1:] {
		formats += fmt.Sprint(" ", 97+i)
		fmt.Fprintf(&lines, "a=rtpmap:%d H264/90000\r\na=fmtp:%d %s\r\n", 97+i, 97+i, p)
	}
	return strings.Replace(text, "SAVPF 96", formats, 1) + lines.String()
}

// TestEachSectionHasItsOwnCodec: two cameras with different codecs share a connection, and a camera with two gets the
// one that it names first. What is refused leaves the connection as it was.
func TestEachSectionHasItsOwnCodec(t *testing.T) {
	e, c, _ := newStudio(t)
	c.types = map[string][]string{"left": {"video/H264"}, "right": {"video/VP8"}, "both": {"video/VP8", "video/H264"}}
	far, near := newPair(t, e, 3, 10)
	text, err := far.Offer(nil)
	if err != nil {
		t.Fatal(err)
	}
	wanted := []Track{{MID: "0", Stream: left}, {MID: "1", Stream: right}, {MID: "2", Stream: cameraAt("both")}}
	answer, err := near.Answer(t.Context(), text, wanted)
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(answer, "m=video ")[1:]
	for i, want := range []string{"H264/90000", "VP8/90000", "VP8/90000"} {
		n := strings.Count(sections[i], "a=rtpmap:") - strings.Count(sections[i], " rtx/90000")
		if n != 1 || !strings.Contains(sections[i], " "+want) {
			t.Errorf("section %d has %d codecs, and not %s:\n%s", i, n, want, sections[i])
		}
	}
	if err := far.Accept(answer); err != nil {
		t.Fatal(err)
	}
	<-far.Connected
	if text, err = far.Offer(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := near.Answer(t.Context(), strings.ReplaceAll(text, "VP8/90000", "VP9/90000"),
		wanted); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("without VP8: %v", err)
	}
	if answer, err = near.Answer(t.Context(), text, wanted); err != nil || strings.Count(answer, "a=sendonly") != 3 {
		t.Errorf("after a refusal: %v\n%s", err, answer)
	}
}
