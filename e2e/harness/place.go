package harness

import (
	"context"
	"net"
	"net/http"
	"os/exec"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// place is where a robot's programs run. A nil Network is this machine.
type place interface {
	// address is an address at which the robot can listen, and where it is found then.
	address(tb testing.TB) (listen, found string)
	// command is the command that runs a program, with its arguments, on the robot.
	command(program string, args ...string) (string, []string)
	// client reaches services on the robot's loopback.
	client() *http.Client
	// secret is the environment with the token for programs on the robot.
	secret() []string
}

// onHost is a host of an internet as a place. The robot listens on all its addresses, which may change.
type onHost struct{ *internet.Host }

func (h onHost) address(tb testing.TB) (listen, found string) {
	tb.Helper()
	_, port, _ := net.SplitHostPort(FreeAddress(tb)) // all are free over there
	return net.JoinHostPort("", port), net.JoinHostPort(h.Address().String(), port)
}

func (h onHost) command(program string, args ...string) (string, []string) {
	return h.Command(program, args...)
}

func (h onHost) client() *http.Client { return clientWithin(h.Do) }

func (h onHost) secret() []string { return []string{"WALDO_TOKEN=" + Token} }

// clientWithin returns a client whose connections are made inside a namespace.
func clientWithin(do func(func() error) error) *http.Client {
	dial := func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = do(func() error {
			conn, err = new(net.Dialer).DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// OnHost runs Chromium on a host.
func OnHost(tb testing.TB, h *internet.Host) chromedp.ExecAllocatorOption {
	tb.Helper()
	port := h.Forward(tb) // for the test, which tells Chromium what to do
	return func(a *chromedp.ExecAllocator) {
		chromedp.Flag("remote-debugging-port", port)(a)
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			program, args := h.Command(cmd.Path, cmd.Args[1:]...)
			if cmd.Path, cmd.Err = exec.LookPath(program); cmd.Err == nil {
				cmd.Args = append([]string{program}, args...)
			}
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		})(a)
	}
}
