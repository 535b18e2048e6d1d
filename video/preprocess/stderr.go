package preprocess

import (
	"bufio"
	"io"
	"log/slog"
	"time"

	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// maxText bounds a line of the log, in bytes.
	maxText = 1000
	// burst and refill bound how many lines are logged: burst at once, and then one each refill.
	burst  = 50
	refill = 200 * time.Millisecond
)

// relay logs what a command says until it says no more. What it says beyond the bounds is read and counted.
func relay(r io.Reader, log *slog.Logger) {
	lines := bufio.NewReaderSize(r, maxText)
	room, last, lost := float64(burst), time.Now(), 0
	for {
		line, cut, err := lines.ReadLine()
		if err != nil {
			break
		}
		now := time.Now()
		room = min(burst, room+float64(now.Sub(last))/float64(refill))
		last = now
		if room < 1 {
			lost++
		} else {
			room--
			lost = tellLost(log, lost)
			log.Info("preprocess: " + text.Printable(string(line)))
		}
		for cut && err == nil { // the rest of a line that is too long
			_, cut, err = lines.ReadLine()
		}
	}
	tellLost(log, lost)
}

func tellLost(log *slog.Logger, lost int) int {
	if lost > 0 {
		log.Warn("preprocess says more than is logged", "lines_left_out", lost)
	}
	return 0
}
