package boottime_test

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/boottime"
)

func TestNow(t *testing.T) {
	const pause = 10 * time.Millisecond
	before := boottime.Now()
	time.Sleep(pause) // what is measured
	if passed := boottime.Now() - before; passed < pause {
		t.Errorf("%v passed in %v", passed, pause)
	}
}

func TestRun(t *testing.T) {
	run, err := boottime.Run()
	if again, _ := boottime.Run(); err != nil || run == "" || run != again {
		t.Errorf("%q, then %q, %v", run, again, err)
	}
}
