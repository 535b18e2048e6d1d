package internet

import (
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	mtu = 1500
	// queue is how many packets may be on the way in each direction. More are lost.
	queue = 8192
)

// end is a network device that is one end of a link.
type end struct {
	namespace
	device string
}

// link carries packets between two TUN devices until the test ends or it is closed.
type link struct {
	ends  [2]*os.File
	close sync.Once
	over  sync.WaitGroup
}

// parcel is a packet, and when it arrives.
type parcel struct {
	due  time.Time
	data []byte
}

// startLink makes the devices, and a link with a delay between them.
func startLink(tb testing.TB, delay time.Duration, a, b end) *link {
	tb.Helper()
	l := &link{ends: [2]*os.File{tun(tb, a), tun(tb, b)}}
	for i, from := range l.ends {
		parcels := make(chan parcel, queue)
		l.over.Go(func() { send(from, delay, parcels) })
		l.over.Go(func() { deliver(l.ends[1-i], parcels) })
	}
	tb.Cleanup(l.Close)
	return l
}

// Close cuts the link and removes its devices.
func (l *link) Close() {
	l.close.Do(func() {
		for _, e := range l.ends {
			_ = e.Close() // whoever reads or writes notices
		}
		l.over.Wait()
	})
}

// send reads packets from a device until it is closed.
func send(from *os.File, delay time.Duration, to chan<- parcel) {
	defer close(to)
	buffer := make([]byte, mtu)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p := parcel{time.Now().Add(delay), append([]byte(nil), buffer[:n]...)}
		select {
		case to <- p:
		default: // the link is full
		}
	}
}

// deliver writes packets to a device when they are due.
func deliver(to *os.File, parcels <-chan parcel) {
	for p := range parcels {
		time.Sleep(time.Until(p.due))
		_, _ = to.Write(p.data) // a device that is down takes nothing
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
