// Package pionlog passes pion's log on to ours, all at debug level: what pion calls a warning or an error concerns one
// peer and is rarely a real problem. Who uses pion reports what matters.
package pionlog

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// New returns a factory of loggers for pion.
func New(log *slog.Logger) logging.LoggerFactory { return factory{log} }

type factory struct{ log *slog.Logger }

// NewLogger implements [logging.LoggerFactory].
func (p factory) NewLogger(scope string) logging.LeveledLogger {
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
