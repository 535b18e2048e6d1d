package serial

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/serial/codec"
	"github.com/waldo-robot/waldo/services/serial/frame"
	"github.com/waldo-robot/waldo/services/serial/tty"
)

// Config holds the keys of a serial board in robot.yaml, which are flags and environment variables as well.
type Config struct {
	// Port is where the board is: a device file, or `sim` for the simulated rover.
	Port string   `yaml:"port" path:"except sim" help:"a serial port such as /dev/ttyACM0 or /dev/serial/by-id/…, or sim for a simulated rover"`
	Baud int      `yaml:"baud" help:"bits per second, 50 to 4000000"`
	Mode tty.Mode `yaml:"mode" help:"data bits, parity and stop bits"`
	DTR  *bool    `yaml:"dtr" help:"set the DTR line when the port is opened: true or false; unchanged if not given. Many boards restart when it changes"`
	RTS  *bool    `yaml:"rts" help:"set the RTS line when the port is opened, in the same way"`

	// Read and Write are the formats of messages.
	Read      string `yaml:"read" help:"format of the messages read: line, raw, nmea, or a struct format as in Python, like <hhf"`
	Write     string `yaml:"write" help:"format of the messages written: line, raw, or a struct format"`
	Delimiter Text   `yaml:"delimiter" help:"what ends a line; backslash escapes such as \\r\\n are understood"`

	ReadKeys         []string       `yaml:"readKeys" help:"names of the values in a struct message read, for example [left, right]"`
	StartByte        Bytes          `yaml:"startByte" help:"bytes in front of each struct message read, like 0xA5 or \"0xA5 0x5A\""`
	StartOnce        bool           `yaml:"startOnce" help:"startByte comes only once, when the board begins to send; nothing is written before that"`
	Checksum         frame.Checksum `yaml:"checksum" help:"checksum behind each struct message read: none, sum8, xor8, crc8, crc16"`
	ChecksumOptional bool           `yaml:"checksumOptional" help:"also accept NMEA sentences without a checksum; one with a wrong checksum is still refused"`
	IdleGap          time.Duration  `yaml:"idleGap" help:"a struct message that is incomplete after this long is discarded; 0s waits forever"`
	WriteKeys        []string       `yaml:"writeKeys" help:"names of the values in a struct message written"`
	WriteStart       Bytes          `yaml:"writeStartByte" help:"bytes in front of each struct message written"`
	WriteChecksum    frame.Checksum `yaml:"writeChecksum" help:"checksum behind each struct message written"`
	WriteDelay       time.Duration  `yaml:"writeDelay" help:"how long to wait before writing after the port is opened, for boards that restart then, up to 1m"`

	// Control makes the board an actuator: it can move something.
	Control *Control `yaml:"control" help:"for a board that can move something, for example {safe: {left: 0, right: 0}}"`
}

// Control configures how an actuator is kept safe.
type Control struct {
	actuator.Config `yaml:",inline"`
	// Safe is the message that means standing still.
	Safe any `yaml:"safe" help:"the message that means standing still, as in JSON"`
	// Ramp is how long it takes to come to a stop when a driver falls silent.
	Ramp time.Duration `yaml:"ramp" help:"how long it takes to come to a stop when commands stop coming, up to 5s; an e-stop has no ramp"`
}

// Defaults is the default configuration of a board.
func Defaults() Config {
	return Config{Baud: tty.DefaultBaud, Read: formLine, Write: formLine, Delimiter: "\n", IdleGap: 50 * time.Millisecond}
}

// Formats of messages besides struct formats, and the simulated port.
const (
	formLine = "line"
	formRaw  = "raw"
	formNMEA = "nmea"
	portSim  = "sim"
)

const (
	minBaud, maxBaud = 50, 4_000_000
	maxWriteDelay    = time.Minute
	maxRamp          = 5 * time.Second
)

// Validate checks every key. The errors name the key and the remedy.
func (c *Config) Validate() error {
	switch {
	case c.Port == "":
		return robot.BadField("port", "is missing: name the board's port, such as /dev/ttyACM0 or one in "+
			"/dev/serial/by-id, or sim for a simulated rover")
	case c.Baud < minBaud || c.Baud > maxBaud:
		return robot.BadField("baud", "%d is out of range: use %d to %d", c.Baud, minBaud, maxBaud)
	case c.Delimiter == "":
		return robot.BadField("delimiter", `is empty: use "\n", "\r\n" or the line ending of the board`)
	case c.IdleGap < 0:
		return robot.BadField("idleGap", "%v is negative: use 0s for none", c.IdleGap)
	case c.WriteDelay < 0 || c.WriteDelay > maxWriteDelay:
		return robot.BadField("writeDelay", "%v is out of range: use up to %v", c.WriteDelay, maxWriteDelay)
	}
	_, readErr := c.reading()
	w, writeErr := c.writing()
	if err := errors.Join(readErr, writeErr); err != nil || c.Control == nil {
		return err
	}
	return c.validateControl(w)
}

func (c *Config) validateControl(w writing) error {
	if err := c.Control.Config.Validate(); err != nil {
		return robot.Under("control", err)
	}
	if c.Control.Ramp < 0 || c.Control.Ramp > maxRamp {
		return robot.BadField("control.ramp", "%v is out of range: use up to %v", c.Control.Ramp, maxRamp)
	}
	_, err := c.safe(w)
	return err
}

// OfRobot implements [device.OfRobot].
func (c *Config) OfRobot(r *robot.Robot, device string) error {
	if c.Control != nil {
		return robot.Under("control", c.Control.OfRobot(r, device))
	}
	if r.Drive.Text("device") == device && r.Drive.Text("see") != "" {
		return r.Drive.Locate(robot.BadField("see", "the device %q has no section control:, so it cannot check "+
			"what its driver sees: add one, for example control: {safe: {left: 0, right: 0}}", device))
	}
	return nil
}

// safe is the payload that means standing still.
func (c *Config) safe(w writing) ([]byte, error) {
	if c.Control.Safe == nil {
		return nil, robot.BadField("control.safe", "is missing: set the message that means standing still, for "+
			"example {left: 0, right: 0}")
	}
	text, err := json.Marshal(c.Control.Safe)
	if err != nil {
		return nil, robot.BadField("control.safe", "is not a valid message: %v", err)
	}
	payload, err := w.codec.Write(&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: string(
		text)}})
	if err != nil {
		return nil, robot.BadField("control.safe", "%v", err)
	}
	return payload, nil
}

// reading is how messages are read.
type reading struct {
	codec    codec.Reader
	splitter func(frame.Discarded) (frame.Splitter, error)
	infos    []*serialv1.FieldInfo
	hint     string // what to check when nothing can be read
}

func (c *Config) reading() (reading, error) {
	if c.ChecksumOptional && c.Read != formNMEA {
		return reading{}, robot.BadField("checksumOptional", "applies to read: nmea, but read is %q: leave it out", c.Read)
	}
	if c.Read == formLine || c.Read == formNMEA || c.Read == formRaw {
		if err := c.structOnly("read", c.Read, map[string]bool{
			"readKeys": len(c.ReadKeys) > 0, "startByte": len(c.StartByte) > 0, "startOnce": c.StartOnce,
			"checksum": c.Checksum != "",
		}); err != nil {
			return reading{}, err
		}
	}
	switch c.Read {
	case formLine:
		return reading{
			codec:    codec.Line{},
			splitter: func(d frame.Discarded) (frame.Splitter, error) { return frame.NewLines(string(c.Delimiter), d) },
			hint:     fmt.Sprintf(`lines end with delimiter, which is "%v": set it to the board's line ending, for example "\r"; and check baud`, c.Delimiter),
		}, nil
	case formNMEA:
		return reading{
			codec:    &codec.NMEA{ChecksumOptional: c.ChecksumOptional},
			splitter: func(d frame.Discarded) (frame.Splitter, error) { return frame.NewSentences(d), nil },
			hint:     "check baud, and that the board is set up to send NMEA 0183; binary protocols such as UBX are not read",
		}, nil
	case formRaw:
		return reading{codec: codec.Raw{}, splitter: func(frame.Discarded) (frame.Splitter,
			error) {
			return frame.Chunks{}, nil
		}}, nil
	}
	record, err := newRecord("read", "readKeys", c.Read, c.ReadKeys)
	if err != nil {
		return reading{}, err
	}
	if c.StartOnce && len(c.StartByte) == 0 {
		return reading{}, robot.BadField("startOnce", "has no meaning without startByte: add it, or leave startOnce out")
	}
	block := frame.Block{Size: record.Size(), Start: c.StartByte, StartOnce: c.StartOnce, Checksum: c.Checksum,
		Pause: c.IdleGap}
	if err := block.Validate(); err != nil {
		return reading{}, robot.BadField("read", "%v", err)
	}
	return reading{
		codec: record, infos: record.Infos(),
		splitter: func(d frame.Discarded) (frame.Splitter, error) { return frame.NewBlocks(block, d) },
		hint: fmt.Sprintf("check baud, startByte, checksum and idleGap, and that a message has the %d bytes of %q",
			record.Size(), c.Read),
	}, nil
}

// writing is how messages are written.
type writing struct {
	codec codec.Writer
	frame func(dst, payload []byte) []byte
	infos []*serialv1.FieldInfo
}

func (c *Config) writing() (writing, error) {
	if c.Write == formLine || c.Write == formRaw {
		if err := c.structOnly("write", c.Write, map[string]bool{
			"writeKeys": len(c.WriteKeys) > 0, "writeStartByte": len(c.WriteStart) > 0, "writeChecksum": c.WriteChecksum != "",
		}); err != nil {
			return writing{}, err
		}
	}
	switch c.Write {
	case formLine:
		end := string(c.Delimiter)
		return writing{codec: codec.Line{Delimiter: end},
			frame: func(dst, payload []byte) []byte { return append(append(dst, payload...), end...) }}, nil
	case formRaw:
		return writing{codec: codec.Raw{}, frame: func(dst, payload []byte) []byte { return append(dst, payload...) }}, nil
	case formNMEA:
		return writing{}, robot.BadField("write", "nmea can only be read: use line, and send whole sentences")
	}
	record, err := newRecord("write", "writeKeys", c.Write, c.WriteKeys)
	if err != nil {
		return writing{}, err
	}
	block := frame.Block{Size: record.Size(), Start: c.WriteStart, Checksum: c.WriteChecksum}
	if err := block.Validate(); err != nil {
		return writing{}, robot.BadField("write", "%v", err)
	}
	return writing{record, block.Append, record.Infos()}, nil
}

// structOnly refuses keys that apply to struct formats only.
func (c *Config) structOnly(key, form string, given map[string]bool) error {
	var errs []error
	for name, is := range given {
		if is {
			errs = append(errs, robot.BadField(name, "applies to struct formats, but %s is %q: leave it out", key, form))
		}
	}
	return errors.Join(errs...)
}

func newRecord(key, keysKey, format string, keys []string) (*codec.Record, error) {
	record, err := codec.NewRecord(format, keys)
	var wrong *codec.KeysError
	switch {
	case errors.As(err, &wrong):
		return nil, robot.BadField(keysKey, "%v", err)
	case err != nil:
		return nil, robot.BadField(key, "%q is neither %s, %s, %s nor a struct format: %v", format, formLine, formRaw,
			formNMEA, err)
	}
	return record, nil
}

// Bytes are a few bytes, written as numbers separated by spaces.
type Bytes []byte

// UnmarshalText reads numbers such as 0xA5 or 165, separated by spaces or commas.
func (b *Bytes) UnmarshalText(text []byte) error {
	var list Bytes
	for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return r == ' ' || r == ',' }) {
		n, err := strconv.ParseUint(word, 0, 8)
		if err != nil {
			return fmt.Errorf("%.32q is not a byte: use 0 to 255 or 0x00 to 0xFF, several separated by spaces, like "+
				"\"0xA5 0x5A\"", word)
		}
		list = append(list, byte(n))
	}
	if len(list) > 8 {
		return fmt.Errorf("%d bytes are too many: use 8 at most", len(list))
	}
	*b = list
	return nil
}

// Text is text in which backslash escapes are understood, so that a flag can hold a line feed.
type Text string

// String writes the text with its escapes.
func (t Text) String() string {
	quoted := strconv.Quote(string(t))
	return quoted[1 : len(quoted)-1]
}

// UnmarshalText reads text.
func (t *Text) UnmarshalText(text []byte) error {
	s := string(text)
	if strings.Contains(s, `\`) {
		unquoted, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
		if err != nil {
			return fmt.Errorf(`%.32q has an unknown escape: use \n, \r, \t, \x00 to \xff or \\`, s)
		}
		s = unquoted
	}
	*t = Text(s)
	return nil
}
