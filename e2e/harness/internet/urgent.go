package internet

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// ahead is by how much the process of the test goes before the programs on the hosts, as nice(1) counts. Otherwise a
// busy machine would delay packets more than the links do.
const ahead = 15

// urgent has the process of the test go before the programs on the hosts until the test ends, if it may.
func urgent(tb testing.TB) {
	tb.Helper()
	renice(-ahead)
	tb.Cleanup(func() { renice(0) })
}

// renice sets the niceness of all threads; those that are made later inherit it, and so would programs.
func renice(to int) {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		if id, err := strconv.Atoi(task.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, to) // the thread may have ended
		}
	}
}
