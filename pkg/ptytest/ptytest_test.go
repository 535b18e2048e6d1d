package ptytest

import (
	"bufio"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTerminal(t *testing.T) {
	p := New(t)
	for range 2 {
		port, err := os.OpenFile(p.Path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		from := len(p.All())
		if _, err := port.WriteString("to the \x03 board\r\n"); err != nil {
			t.Fatal(err)
		}
		if p.Await(t, from, "to the \x03 board\r\n"); len(p.Log()) == 0 || p.Log()[0].At.IsZero() {
			t.Error("it is not logged")
		}
		p.Say(t, "from the \x03 board\r\n")
		if got, err := bufio.NewReader(port).ReadString('\n'); err != nil || got != "from the \x03 board\r\n" {
			t.Errorf("read %q, %v", got, err)
		}
		p.Pull()
		p.Pull()
		if _, err := port.Read(make([]byte, 1)); err == nil {
			t.Error("a pulled board can be read")
		}
		if err := port.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(p.Path); err == nil {
			t.Error("a pulled board has a port")
		}
		p.Plug(t)
	}
}
