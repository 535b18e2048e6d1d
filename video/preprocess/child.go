package preprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

const (
	// pipeSize lets a picture through in few pieces. An unprivileged process may have this much.
	pipeSize = 1 << 20
	// farewell is how long a command may take to end at the end of its input.
	farewell = 300 * time.Millisecond
)

// guarded runs a command, and beside it a guard that kills the process group when the other end of descriptor 3 is
// closed: by the end of this process, whatever ended it. If the group was stopped, the kernel then wakes it with
// SIGHUP, which the guard ignores.
const guarded = `trap '' HUP; ( read -r _ <&3; kill -KILL 0 ) </dev/null >/dev/null 2>&1 & ` +
	`trap - HUP; exec 3<&-; eval "$1"`

// child is one run of the command. Its fields are set before others see it.
type child struct {
	format *mediav1.VideoFormat
	size   int         // of a picture in bytes
	in     chan []byte // pictures for it; never full
	out    chan []byte // pictures from it
	done   chan struct{}
	reject chan error // takes one reason to end it

	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	stderr *os.File
	guard  *os.File
}

// launch starts the command. It must be called on a thread that outlasts it: the kernel kills the shell with that
// thread.
func launch(c Command, f *mediav1.VideoFormat) (_ *child, err error) {
	k := &child{
		format: f, size: media.FrameSize(f), in: make(chan []byte, maxInside), out: make(chan []byte, maxInside),
		done: make(chan struct{}), reject: make(chan error, 1),
		cmd: exec.Command("/bin/sh", "-c", guarded, "preprocess", c.Line),
	}
	k.cmd.Dir, k.cmd.Env = c.Folder, environment(f)
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var theirs [4]*os.File
	defer func() {
		for _, one := range theirs {
			_ = one.Close() // the command has its own, and Close takes nil
		}
		if err != nil {
			k.closePipes()
		}
	}()
	for i, ours := range []**os.File{&k.stdin, &k.stdout, &k.stderr, &k.guard} {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		widen(w)
		if theirs[i], *ours = r, w; ours == &k.stdout || ours == &k.stderr {
			theirs[i], *ours = w, r
		}
	}
	k.cmd.Stdin, k.cmd.Stdout, k.cmd.Stderr, k.cmd.ExtraFiles = theirs[0], theirs[1], theirs[2], theirs[3:]
	return k, k.cmd.Start()
}

// widen makes room for more of a picture in a pipe, which works with less, too.
func widen(pipe *os.File) {
	if raw, err := pipe.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
	}
}

func (k *child) closePipes() {
	for _, one := range []*os.File{k.stdin, k.stdout, k.stderr, k.guard} {
		_ = one.Close()
	}
}

// end asks to end the command for a reason. Only the first counts.
func (k *child) end(why error) {
	select {
	case k.reject <- why:
	default:
	}
}

// run works until the command has ended, and returns why. It is gone then, and everything in its process group.
func (k *child) run(ctx context.Context, said func(io.Reader)) error {
	defer close(k.done)
	var pumps sync.WaitGroup
	stop := make(chan struct{})
	pumps.Go(func() { k.write(stop) })
	pumps.Go(func() { k.read(stop) })
	pumps.Go(func() { said(k.stderr) })
	why := k.await(ctx)
	close(stop)
	k.closePipes()
	pumps.Wait()
	return why
}

// await returns once the command has ended.
func (k *child) await(ctx context.Context) (why error) {
	exited := make(chan struct{})
	var status error
	go func() {
		defer close(exited)
		status = k.cmd.Wait()
	}()
	defer func() { <-exited }()
	defer k.kill()
	select {
	case <-exited:
		if status == nil {
			status = errors.New("exit status 0")
		}
		return fmt.Errorf("it ended: %w", status)
	case why = <-k.reject:
		return why
	case <-ctx.Done():
	}
	_ = k.stdin.Close()
	select {
	case <-exited:
	case <-time.After(farewell):
	}
	return nil
}

// kill ends what is in the process group: the guard, if nothing else.
func (k *child) kill() { _ = syscall.Kill(-k.cmd.Process.Pid, syscall.SIGKILL) }

// write gives pictures to the command. A write that cannot go on ends with the pipe.
func (k *child) write(stop <-chan struct{}) {
	for {
		select {
		case picture := <-k.in:
			if _, err := k.stdin.Write(picture); err != nil {
				return // it has ended, or closed its input: it owes a picture then
			}
		case <-stop:
			return
		}
	}
}

// read takes pictures from the command.
func (k *child) read(stop <-chan struct{}) {
	for {
		picture := make([]byte, k.size)
		if _, err := io.ReadFull(k.stdout, picture); err != nil {
			return // likewise
		}
		select {
		case k.out <- picture:
		case <-stop:
			return
		}
	}
}
