package preprocess

import (
	"errors"
	"fmt"
	"os"
	"strings"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// maxLine bounds a command; the kernel takes up to 128 KiB.
const maxLine = 16 << 10

// Command is what robot.yaml says under the key preprocess. The zero value is none.
type Command struct {
	Line   string // for /bin/sh
	Folder string // where it runs; the working directory if empty
}

// Given reports whether there is a command.
func (c *Command) Given() bool { return c.Line != "" }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Command) UnmarshalText(line []byte) error {
	switch text := string(line); {
	case strings.TrimSpace(text) == "":
		return errors.New(`is empty: write a command, for example "python blur.py", or leave the key out`)
	case strings.ContainsRune(text, 0):
		return errors.New("has a zero byte in it: write a command for /bin/sh")
	case len(text) > maxLine:
		return fmt.Errorf("has %d bytes, and %d are the limit: put it in a script", len(text), maxLine)
	default:
		c.Line = text
	}
	return nil
}

// From sets the folder of the file in which the command is written.
func (c *Command) From(folder string) { c.Folder = folder }

// environment is that of the command: ours without what is for Waldo, and what pictures look like.
func environment(f *mediav1.VideoFormat) []string {
	var env []string
	for _, one := range os.Environ() {
		if !strings.HasPrefix(one, "WALDO_") {
			env = append(env, one)
		}
	}
	return append(env, fmt.Sprint("FRAME_WIDTH=", f.GetWidthPx()), fmt.Sprint("FRAME_HEIGHT=", f.GetHeightPx()),
		fmt.Sprint("FRAME_RATE=", f.GetFrameRateHz()))
}
