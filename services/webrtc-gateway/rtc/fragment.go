package rtc

import (
	"slices"
	"strings"

	"github.com/pion/ice/v4"
	"github.com/pion/sdp/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// maxCandidates bounds the candidates of one fragment.
	maxCandidates = 100
	// Lengths of ice-ufrag and ice-pwd, see RFC 8839, 5.4.
	minUfrag, minPwd, maxCredential = 4, 22, 256
)

// Fragment is what one side says about its candidates outside an offer or answer, as RFC 8840 writes it.
type Fragment struct {
	// Ufrag and Pwd are the credentials that the candidates belong to. Others than before ask for an ICE restart. Empty:
	// not said.
	Ufrag, Pwd string
	// Candidates that are new.
	Candidates []Candidate
	// End is set if no more will come.
	End bool
	// section is the media line that candidates stand under, in what the gateway says.
	section string
}

// Candidate is one ICE candidate.
type Candidate struct {
	// Line is the candidate, from "candidate:" on.
	Line string
	// MID names its media section; empty: the first.
	MID string
}

// ParseFragment reads a fragment. Unknown lines are ignored, as RFC 8840 requires.
func ParseFragment(text string) (Fragment, error) {
	var f Fragment
	mid := ""
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "a=mid":
			mid = value
		case "a=ice-ufrag":
			f.Ufrag = value
		case "a=ice-pwd":
			f.Pwd = value
		case "a=end-of-candidates":
			f.End = true
		case "a=candidate":
			if len(f.Candidates) == maxCandidates {
				return Fragment{}, status.Errorf(codes.InvalidArgument,
					"the fragment has more than %d candidates: send those that are not yet known", maxCandidates)
			}
			f.Candidates = append(f.Candidates, Candidate{Line: sdp.AttrKeyCandidate + ":" + value, MID: mid})
		}
	}
	return f, f.check()
}

// check finds what is wrong in a fragment.
func (f *Fragment) check() error {
	if f.Ufrag != "" && !credential(f.Ufrag, minUfrag) {
		return status.Errorf(codes.InvalidArgument,
			"a=ice-ufrag: use %d to %d letters, digits, + and /", minUfrag, maxCredential)
	}
	if f.Pwd != "" && !credential(f.Pwd, minPwd) {
		return status.Errorf(codes.InvalidArgument, "a=ice-pwd: use %d to %d letters, digits, + and /", minPwd, maxCredential)
	}
	for _, c := range f.Candidates {
		if _, err := ice.UnmarshalCandidate(c.Line); err != nil {
			return status.Errorf(codes.InvalidArgument, "a=candidate: %v", err)
		}
	}
	return nil
}

// credential reports whether a text can be an ice-ufrag or ice-pwd.
func credential(text string, least int) bool {
	foreign := strings.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '+' && r != '/'
	})
	return !foreign && len(text) >= least && len(text) <= maxCredential
}

// String writes the fragment.
func (f Fragment) String() string {
	var b strings.Builder
	line := func(parts ...string) { b.WriteString(strings.Join(parts, "") + "\r\n") }
	if f.Ufrag != "" {
		line("a=ice-ufrag:", f.Ufrag)
		line("a=ice-pwd:", f.Pwd)
	}
	mid := ""
	for i, c := range f.Candidates {
		if i == 0 && f.section != "" {
			line("m=", f.section)
		}
		if i == 0 || c.MID != mid {
			mid = c.MID
			line("a=mid:", mid)
		}
		line("a=", c.Line)
	}
	if f.End {
		line("a=end-of-candidates")
	}
	return b.String()
}

// described returns the fragment that says the same as a description. All its sections share one connection.
func described(d *sdp.SessionDescription) Fragment {
	f := Fragment{}
	f.Ufrag, _ = d.Attribute("ice-ufrag")
	f.Pwd, _ = d.Attribute("ice-pwd")
	for _, m := range d.MediaDescriptions {
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		for _, a := range m.Attributes {
			switch {
			case a.Key == "ice-ufrag" && f.Ufrag == "":
				f.Ufrag = a.Value
			case a.Key == "ice-pwd" && f.Pwd == "":
				f.Pwd = a.Value
			case a.Key == sdp.AttrKeyEndOfCandidates:
				f.End = true
			case a.IsICECandidate():
				if f.section == "" {
					f.section = m.MediaName.String()
				}
				f.Candidates = append(f.Candidates, Candidate{Line: sdp.AttrKeyCandidate + ":" + a.Value, MID: mid})
			}
		}
	}
	return f
}

// restarted returns an offer with other credentials, and without the candidates, which belonged to those before.
func restarted(offer, ufrag, pwd string) (string, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(offer); err != nil {
		return "", err
	}
	d.Attributes = withCredentials(d.Attributes, ufrag, pwd)
	for _, m := range d.MediaDescriptions {
		m.Attributes = withCredentials(m.Attributes, ufrag, pwd)
	}
	text, err := d.Marshal()
	return string(text), err
}

func withCredentials(attributes []sdp.Attribute, ufrag, pwd string) []sdp.Attribute {
	for i, a := range attributes {
		switch a.Key {
		case "ice-ufrag":
			attributes[i].Value = ufrag
		case "ice-pwd":
			attributes[i].Value = pwd
		}
	}
	return slices.DeleteFunc(attributes, func(a sdp.Attribute) bool {
		return a.Key == sdp.AttrKeyCandidate || a.Key == sdp.AttrKeyEndOfCandidates
	})
}
