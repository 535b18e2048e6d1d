package rtc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLog passes pion's log on to ours, all at debug level: what pion calls a warning or an error concerns one peer and
// is rarely a real problem. This package reports what matters.
type pionLog struct{ log *slog.Logger }

// NewLogger implements [logging.LoggerFactory].
func (p pionLog) NewLogger(scope string) logging.LeveledLogger {
	return leveled{p.log.With("pion", scope)}
}

type leveled struct{ log *slog.Logger }

func (l leveled) write(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(fmt.Sprintf(format, args...))
	}
}

func (l leveled) Trace(string)              {}
func (l leveled) Tracef(string, ...any)     {}
func (l leveled) Debug(string)              {}
func (l leveled) Debugf(string, ...any)     {}
func (l leveled) Info(string)               {}
func (l leveled) Infof(string, ...any)      {}
func (l leveled) Warn(m string)             { l.write("%s", m) }
func (l leveled) Warnf(f string, a ...any)  { l.write(f, a...) }
func (l leveled) Error(m string)            { l.write("%s", m) }
func (l leveled) Errorf(f string, a ...any) { l.write(f, a...) }
