package labtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
)

// board is a waldo-serial.
type board struct {
	*process
	serial serialv1.SerialServiceClient
}

// startSerial starts the program with --key value flags and stops it at the end of the test.
func startSerial(t *testing.T, grpcAddress, port string, flags ...string) *board {
	t.Helper()
	p := start(t, "serial", grpcAddress, append([]string{"--port", port}, flags...)...)
	return &board{p, serialv1.NewSerialServiceClient(p.conn)}
}

func textMessage(text string) *serialv1.WriteMessageRequest {
	return &serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Line{Line: text}}
}

func jsonMessage(text string) *serialv1.WriteMessageRequest {
	return &serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: text}}
}

// write writes a message to the board.
func (b *board) write(m *serialv1.WriteMessageRequest) {
	b.t.Helper()
	if _, err := b.serial.WriteMessage(b.context(), m); err != nil {
		b.t.Fatal(err)
	}
}

// said reads the board's messages with one Connect call. It checks that none is missing.
type said struct {
	*messages[serialv1.ConnectResponse]
	last *serialv1.SerialMessage
}

// read begins a call, and returns once no further message of the board can be missed.
func (b *board) read() *said {
	b.t.Helper()
	var call grpc.BidiStreamingClient[serialv1.ConnectRequest, serialv1.ConnectResponse]
	s := &said{messages: read(b.t,
		func(ctx context.Context) (_ grpc.BidiStreamingClient[serialv1.ConnectRequest, serialv1.ConnectResponse], err error) {
			call, err = b.serial.Connect(ctx)
			return call, err
		})}
	if err := call.Send(&serialv1.ConnectRequest{Id: 1}); err != nil { // writes nothing, but gets an answer
		b.t.Fatal(err)
	}
	if first := s.messages.next(); first.GetResult().GetId() != 1 {
		b.t.Fatalf("the call begins with %v", first)
	}
	return s
}

func (s *said) next() *serialv1.SerialMessage {
	s.t.Helper()
	response := s.messages.next()
	m := response.GetMessage()
	if m == nil || response.GetDroppedCount() != 0 {
		s.t.Fatalf("the call returned %v", response)
	}
	if s.last != nil && (m.GetEpoch() != s.last.GetEpoch() || m.GetSequence() != s.last.GetSequence()+1) {
		s.t.Fatalf("message %d of epoch %d came after %d of %d", m.GetSequence(), m.GetEpoch(), s.last.GetSequence(),
			s.last.GetEpoch())
	}
	s.last = m
	return m
}

// checkBothWays sends lines both ways, and checks that each arrives unchanged.
func checkBothWays(t *testing.T, b *board, s *said, far *line, count int) {
	t.Helper()
	heard := len(far.all())
	for i := range count {
		down, up := fmt.Sprintf("to the board %d", i), fmt.Sprintf("from the board %d – ÄÖ", i)
		b.write(textMessage(down))
		heard = far.await(heard, down+"\n")
		far.say(up + "\n")
		if got := s.next().GetLine(); got != up {
			t.Errorf("the line %q was read as %q", up, got)
		}
	}
}

// portSettings reads the port's settings through the process's own file, because opening a port changes it.
func portSettings(t *testing.T, p *process, path string) (baud uint32, modem int) {
	t.Helper()
	fd := portFile(t, p, path)
	defer unix.Close(fd)
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		t.Fatal(err)
	}
	if modem, err = unix.IoctlGetInt(fd, unix.TIOCMGET); err != nil {
		t.Fatal(err)
	}
	return settings.Ospeed, modem
}

// portFile returns a duplicate of a file that the process has open.
func portFile(t *testing.T, p *process, path string) (fd int) {
	t.Helper()
	device, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	pid := p.cmd.Process.Pid
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(process)
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		number, err := strconv.Atoi(filepath.Base(link))
		if to, _ := os.Readlink(link); err != nil || to != device {
			continue
		}
		if fd, err = unix.PidfdGetfd(process, number, 0); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	t.Fatalf("%s does not have %s open", p.name, device)
	return 0
}
