package internet

import (
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/linktest"
)

const mtu = 1500

// end is a network device that is one end of a cable.
type end struct {
	namespace
	device string
}

// cable carries packets between two TUN devices until the test ends or it is closed.
type cable struct {
	ends  [2]*os.File
	link  *linktest.Link
	close sync.Once
	over  sync.WaitGroup
}

// delayed is a link that delays packets and has no other fault.
func delayed(tb testing.TB, delay time.Duration) *linktest.Link {
	tb.Helper()
	s := linktest.Shape{Delay: delay, Queue: 16 << 20}
	return rough(tb, linktest.Profile{FromRobot: s, ToRobot: s}, 0)
}

func rough(tb testing.TB, p linktest.Profile, seed uint64) *linktest.Link {
	tb.Helper()
	l, err := linktest.NewLink(p, seed)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// startCable makes the devices, and connects them by a link, which is closed with the cable. The robot's end is the
// first.
func startCable(tb testing.TB, l *linktest.Link, robot, driver end) *cable {
	tb.Helper()
	c := &cable{ends: [2]*os.File{tun(tb, robot), tun(tb, driver)}, link: l}
	for i, line := range []*linktest.Line{l.FromRobot, l.ToRobot} {
		c.over.Go(func() { send(c.ends[i], c.ends[1-i], line) })
	}
	tb.Cleanup(c.Close)
	return c
}

// Close cuts the cable and removes its devices.
func (c *cable) Close() {
	c.close.Do(func() {
		for _, e := range c.ends {
			_ = e.Close() // whoever reads or writes notices
		}
		c.over.Wait()
		c.link.Close()
	})
}

// send reads packets from a device until it is closed.
func send(from, to *os.File, over *linktest.Line) {
	buffer := make([]byte, mtu)
	deliver := func(data []byte) {
		_, _ = to.Write(data) // a device that is down takes nothing
	}
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		over.Send(append([]byte(nil), buffer[:n]...), n, deliver)
	}
}

// tun makes a TUN device, which exists as long as the file is open.
func tun(tb testing.TB, e end) (file *os.File) {
	tb.Helper()
	err := e.do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
		}
		request, err := unix.NewIfreq(e.device)
		if err == nil {
			request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
		}
		// Not before: the runtime could not wait for packets of a file without a device. It is non-blocking, so that
		// Close ends a Read.
		file = os.NewFile(uintptr(fd), e.device)
		return err
	})
	if err != nil {
		tb.Fatalf("make the TUN device %s: %v", e.device, err)
	}
	return file
}
