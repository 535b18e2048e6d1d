package answers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// MaxAnswers bounds how many answers a device has.
	MaxAnswers = 64
	// MaxBytes bounds the size of a [Sheet] in a file.
	MaxBytes = 2 << 20
	// MediaType is that of a [Sheet] in a file.
	MediaType = "application/json"
)

// Name is the name of the attachment with the answers of a device.
func Name(device string) string { return "answers/" + device }

// Sheet is what a device answered in one of its lives.
type Sheet struct {
	// Epoch is the life of the device.
	Epoch int64 `json:"epoch,string"`
	// Time is when it was asked, by the clock of the recording.
	Time time.Time `json:"time"`
	// Answers are the responses, by the full name of their method, for example waldo.serial.v1.SerialService/GetPort.
	Answers map[string]json.RawMessage `json:"answers"`
}

// Encode returns the sheet as it stands in a file.
func (s Sheet) Encode() ([]byte, error) { return json.Marshal(s) }

// Says reports whether two sheets have the same answers.
func (s Sheet) Says(other Sheet) bool {
	return maps.EqualFunc(s.Answers, other.Answers, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

// Parse reads a sheet of a file.
func Parse(data []byte) (Sheet, error) {
	if len(data) > MaxBytes {
		return Sheet{}, fmt.Errorf("answers: there are %d bytes, more than %d", len(data), MaxBytes)
	}
	var s Sheet
	if err := json.Unmarshal(data, &s); err != nil {
		return Sheet{}, fmt.Errorf("answers: %w", err)
	}
	if n := len(s.Answers); n > MaxAnswers {
		return Sheet{}, fmt.Errorf("answers: there are %d, more than %d", n, MaxAnswers)
	}
	return s, nil
}

// maxSheets bounds how many sheets of a device are read; a recorder writes fewer.
const maxSheets = 1000

// Sheets are those of a device in a recording, by time.
type Sheets []Sheet

// ParseAll reads the sheets of a recording. Those that cannot be read are left out, and told in the error.
func ParseAll(attachments [][]byte) (Sheets, error) {
	var all Sheets
	var errs []error
	for _, data := range attachments[:min(len(attachments), maxSheets)] {
		s, err := Parse(data)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b Sheet) int { return a.Time.Compare(b.Time) })
	return all, errors.Join(errs...)
}

// At returns what a method answered last before a time; what it answered first, if that was later.
func (s Sheets) At(t time.Time, method string) (response json.RawMessage, found bool) {
	for _, one := range s {
		if found && one.Time.After(t) {
			break
		}
		if r, has := one.Answers[method]; has {
			response, found = r, true
		}
	}
	return response, found
}
