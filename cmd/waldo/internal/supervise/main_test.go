package supervise

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/device"
)

// childMode, in the environment, makes this test program play a process instead of running tests.
const childMode = "WALDO_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		os.Exit(playChild(mode))
	}
	goleak.VerifyTestMain(m)
}

// playChild prints "pid <n>" and then does what the test wants.
func playChild(mode string) int {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	fmt.Println("pid", os.Getpid()) // last: the test may send a signal at once
	switch mode {
	case "polite":
		<-terminate
		fmt.Println("stopping")
	case "stubborn":
		<-make(chan int) // the deadlock detector sleeps while signals are watched
	case "parent": // leaves a child process behind
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childMode+"=stubborn")
		cmd.Stdout = os.Stdout
		if err := cmd.Start(); err != nil {
			return 1
		}
		<-terminate
	case "crash":
		return 1
	case "config":
		fmt.Fprintln(os.Stderr, "no good")
		return device.ExitConfiguration
	case "supervisor":
		printer := NewPrinter(os.Stdout, nil, false)
		_ = New(printer).Run(context.Background(), []Process{play("one", "stubborn"), play("two", "polite")})
	}
	return 0
}

// play returns a process that this test program plays.
func play(name, mode string) Process {
	return Process{Name: name, Path: os.Args[0], Env: []string{childMode + "=" + mode}}
}

// alive tells whether a process is still running; one that is dead but not yet reaped by its parent is not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// waitDead fails the test unless the process ends soon.
func waitDead(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d was left behind", pid)
		}
	}
}
