package codec

import (
	"errors"
	"fmt"
	"strings"

	"github.com/adrianmo/go-nmea"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
)

// NMEA reads sentences of NMEA 0183.
type NMEA struct {
	// ChecksumOptional accepts sentences without a checksum too; one with a wrong checksum is still refused.
	ChecksumOptional bool
}

// NewNMEA returns a reader that requires a checksum in each sentence.
func NewNMEA() *NMEA { return &NMEA{} }

// RefusedError means that a message from a board cannot be read.
type RefusedError struct {
	// Problem is the fault and its remedy, in the same words for all messages of that kind.
	Problem string
	// Message is the message.
	Message string
}

// Error returns the message, shortened, and the problem.
func (e *RefusedError) Error() string { return fmt.Sprintf("%.100q %s", e.Message, e.Problem) }

var (
	errNoChecksum    = errors.New("has no checksum: set checksumOptional: true for a board that sends none")
	errWrongChecksum = errors.New("has a wrong checksum: if there are many of these, check the wiring and baud")
	errNoSentence    = errors.New("is not a sentence of NMEA 0183: check baud, and what the board is set up to send")
)

// Read implements [Reader]. A field that is empty, or does not fit the type of the sentence, is left
// out, and so is a position without a fix. A sentence of an unknown type gets its bare fields. The error
// is a *RefusedError.
func (n *NMEA) Read(data []byte, into *serialv1.SerialMessage) error {
	base, err := n.parse(strings.TrimSpace(string(data)))
	if err != nil {
		return &RefusedError{err.Error(), string(data)}
	}
	s := &serialv1.Sentence{Talker: base.Talker, Type: base.Type, Raw: base.Raw}
	if base.Type == nmea.TypeQuery && len(base.Talker) == 2 {
		add(s, "destinationTalkerID", strings.ToValidUTF8(base.Raw[3:5], "�"))
	}
	if known := layoutOf(base); known != nil {
		known.read(s, base.Fields)
	} else {
		for _, f := range base.Fields {
			s.Fields = append(s.Fields, &serialv1.Field{Value: bare(f)})
		}
	}
	into.Body, into.Json = &serialv1.SerialMessage_Sentence{Sentence: s}, sentenceJSON(s)
	return nil
}

// parse checks a sentence and splits it. Everything it returns is UTF-8.
//
// The library's own first step is not used: it takes any backslash for part of a tag block.
func (n *NMEA) parse(line string) (nmea.BaseSentence, error) {
	if tags, sentence, found := strings.Cut(strings.TrimPrefix(line, `\`), `\`); found && len(tags) < len(line) &&
		line[0] == '\\' {
		line = sentence
	}
	if line == "" || line[0] != '$' && line[0] != '!' {
		return nmea.BaseSentence{}, errNoSentence
	}
	body, sum, _ := strings.Cut(line[1:], nmea.ChecksumSep)
	switch {
	case sum == "" && !n.ChecksumOptional:
		return nmea.BaseSentence{}, errNoChecksum
	case sum != "" && !strings.EqualFold(sum, nmea.Checksum(body)):
		return nmea.BaseSentence{}, errWrongChecksum
	}
	fields := strings.Split(strings.ToValidUTF8(body, "�"), nmea.FieldSep)
	talker, kind, err := nmea.ParsePrefix(fields[0])
	if err != nil {
		return nmea.BaseSentence{}, errNoSentence
	}
	return nmea.BaseSentence{
		Talker: strings.ToValidUTF8(talker, "�"), Type: strings.ToValidUTF8(kind, "�"), Fields: fields[1:],
		Raw: strings.ToValidUTF8(line, "�"),
	}, nil
}

// bare is the value of a field of unknown meaning; an empty one has no kind.
func bare(field string) *serialv1.Value {
	if field == "" {
		return &serialv1.Value{}
	}
	return typed(field)
}

// sentenceJSON writes a sentence as an object. The sentence's talker and type take precedence over
// fields of these names.
func sentenceJSON(s *serialv1.Sentence) string {
	text := []byte(`{"talker":` + quote(s.GetTalker()) + `,"type":` + quote(s.GetType()))
	var bare []*serialv1.Field
	for _, f := range s.GetFields() {
		switch f.GetKey() {
		case "talker", "type":
		case "":
			bare = append(bare, f)
		default:
			text = append(append(append(text, ','), quote(f.GetKey())...), ':')
			text = appendJSON(text, plain(f.GetValue()))
		}
	}
	if len(bare) > 0 {
		text = append(text, `,"fields":[`...)
		for i, f := range bare {
			if i > 0 {
				text = append(text, ',')
			}
			text = appendJSON(text, plain(f.GetValue()))
		}
		text = append(text, ']')
	}
	return string(append(text, '}'))
}
