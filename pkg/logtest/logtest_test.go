package logtest_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/logtest"
)

// recorder is a test whose end another test controls.
type recorder struct {
	testing.TB
	said []string
	end  func()
}

func (r *recorder) Cleanup(f func())  { r.end = f }
func (r *recorder) Log(values ...any) { r.said = append(r.said, fmt.Sprint(values...)) }

func TestNothingAfterTheEnd(t *testing.T) {
	r := &recorder{TB: t}
	log := logtest.New(r, slog.LevelInfo)
	log.Debug("too little")
	log.Info("before")
	r.end()
	log.Info("after")
	if len(r.said) != 1 {
		t.Errorf("logged %q, want one line", r.said)
	}
}

func TestText(t *testing.T) {
	var log logtest.Text
	slog.New(slog.NewTextHandler(&log, nil)).Info("one")
	if kept, taken := log.String(), log.Take(); !strings.Contains(kept, "one") || taken != kept || log.String() != "" {
		t.Errorf("kept %q, taken %q, then %q", kept, taken, log.String())
	}
}
