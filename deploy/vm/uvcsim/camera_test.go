package uvcsim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image/jpeg"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is the kernel's end of a cable.
type host struct {
	t    *testing.T
	conn net.Conn
	seq  uint32
	end  chan error
}

func plug(t *testing.T, c *Camera) *host {
	t.Helper()
	ours, cameras := net.Pipe()
	h := &host{t: t, conn: ours, end: make(chan error, 1)}
	go func() { h.end <- c.Serve(cameras) }()
	t.Cleanup(func() { ours.Close() })
	return h
}

// pull unplugs the camera and returns Serve's result.
func (h *host) pull() error {
	h.conn.Close()
	return <-h.end
}

func (h *host) submit(toHost, endpoint, length uint32, setup [8]byte, data ...byte) uint32 {
	h.t.Helper()
	h.seq++
	h.write(message(commandSubmit, h.seq, toHost, endpoint, length, setup, data...))
	return h.seq
}

func (h *host) unlink(victim uint32) uint32 {
	h.t.Helper()
	h.seq++
	h.write(message(commandUnlink, h.seq, 0, 0, victim, [8]byte{}))
	return h.seq
}

func (h *host) write(b []byte) {
	h.t.Helper()
	if _, err := h.conn.Write(b); err != nil {
		h.t.Fatal(err)
	}
}

// answer is one reply of the camera.
type answer struct {
	code, seq uint32
	status    int32
	data      []byte
}

// read reads one reply; toHost says that data may follow.
func (h *host) read(toHost bool) answer {
	h.t.Helper()
	var head [headSize]byte
	if _, err := io.ReadFull(h.conn, head[:]); err != nil {
		h.t.Fatal(err)
	}
	be := binary.BigEndian
	a := answer{code: be.Uint32(head[0:]), seq: be.Uint32(head[4:]), status: int32(be.Uint32(head[20:]))}
	if a.code == replySubmit && toHost {
		a.data = make([]byte, be.Uint32(head[24:]))
		if _, err := io.ReadFull(h.conn, a.data); err != nil {
			h.t.Fatal(err)
		}
	}
	return a
}

// picture requests video until a picture is complete, and checks the payload headers on the way.
func (h *host) picture() []byte {
	h.t.Helper()
	var data []byte
	for id := -1; ; {
		seq := h.submit(1, 1, maxPayload, [8]byte{})
		a := h.read(true)
		if a.seq != seq || a.status != statusOK || len(a.data) < headerSize || a.data[0] != headerSize {
			h.t.Fatalf("answer %d has status %d and %d bytes, want one to %d with a payload", a.seq, a.status, len(a.data), seq)
		}
		flags := a.data[1]
		if id >= 0 && byte(id) != flags&frameIDBit {
			h.t.Fatal("the frame id changed within a picture")
		}
		id = int(flags & frameIDBit)
		data = append(data, a.data[headerSize:]...)
		if flags&frameEnd != 0 {
			return data
		}
	}
}

// choose commits to size number i from 1, at 30 Hz.
func (h *host) choose(i byte) {
	h.t.Helper()
	probe := setting{frame: i, interval: intervals()[0]}.probe()
	h.submit(0, 0, uint32(len(probe)), [8]byte{0x21, setCur, 0, 2, 1, 0, byte(len(probe)), 0}, probe...)
	if a := h.read(false); a.status != statusOK {
		h.t.Fatalf("commit ended with status %d", a.status)
	}
}

func TestPicturesOverTheCable(t *testing.T) {
	t.Parallel()
	h := plug(t, New())
	h.choose(3)
	for want := range uint32(BarPositions + 2) {
		picture := h.picture()
		if number, err := Check(picture); err != nil || number != want {
			t.Fatalf("picture %d, %v; want %d", number, err, want)
		}
		img, err := jpeg.Decode(bytes.NewReader(picture))
		if err != nil {
			t.Fatal(err)
		}
		if got := (Size{img.Bounds().Dx(), img.Bounds().Dy()}); got != Sizes()[2] {
			t.Errorf("size %v, want %v", got, Sizes()[2])
		}
		if got := BarPosition(img); got != int(want%BarPositions) {
			t.Errorf("picture %d: the bar stands at %d", want, got)
		}
	}
	if err := h.pull(); err != nil {
		t.Errorf("pulled out: %v", err)
	}
}

func TestPlugInAgain(t *testing.T) {
	t.Parallel()
	c := New()
	for want := range uint32(3) {
		h := plug(t, c)
		h.choose(3)
		if number, err := Check(h.picture()); err != nil || number != want {
			t.Errorf("picture %d, %v; want %d", number, err, want)
		}
		if err := h.pull(); err != nil {
			t.Errorf("pulled out: %v", err)
		}
	}
}

func TestUnlinkBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	h := plug(t, New())
	h.choose(3)
	h.picture()
	victim := h.submit(1, 1, maxPayload, [8]byte{}) // the next picture is due in 33 ms
	request := h.unlink(victim)
	if a := h.read(true); a.code == replySubmit { // the camera was faster after all
		if a.seq != victim {
			t.Fatalf("answer to %d, want %d", a.seq, victim)
		}
		a = h.read(true)
		if a.code != replyUnlink || a.seq != request || a.status != statusOK {
			t.Errorf("%+v, want unlink %d to say that it was too late", a, request)
		}
	} else if a.seq != request || a.status != statusUnlink {
		t.Errorf("%+v, want unlink %d to say that it was in time", a, request)
	}
	if number, err := Check(h.picture()); err != nil {
		t.Errorf("picture %d after a stop: %v", number, err)
	}
}

// A host that stops in the middle of a picture, without a waiting URB that it could take back, must not get the rest
// when it starts again.
func TestStreamBeginsWithAPicture(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]func(*host){
		"commit": func(h *host) { h.choose(1) },
		"clear halt": func(h *host) {
			h.submit(0, 0, 0, [8]byte{0x02, 1, 0, 0, endpointVideo, 0, 0, 0})
			h.read(false)
		},
	} {
		h := plug(t, New())
		h.choose(1)
		h.submit(1, 1, maxPayload, [8]byte{})
		if a := h.read(true); len(a.data) != maxPayload || a.data[1]&frameEnd != 0 {
			t.Fatalf("%s: the first payload has %d bytes and flags %x: this test needs a larger picture", name, len(a.data),
				a.data[1])
		}
		restart(h)
		if number, err := Check(h.picture()); err != nil || number != 1 {
			t.Errorf("%s: picture %d, %v; want all of picture 1", name, number, err)
		}
		if err := h.pull(); err != nil {
			t.Errorf("%s: pulled out: %v", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	h := plug(t, New())
	h.submit(1, 0, 4, [8]byte{0xC0, 1, 0, 0, 0, 0, 4, 0})
	if a := h.read(true); a.status != statusStall || len(a.data) != 0 {
		t.Errorf("vendor request: %+v, want a stall", a)
	}
	h.submit(1, 5, 64, [8]byte{})
	if a := h.read(true); a.status != statusStall {
		t.Errorf("endpoint 5: %+v, want a stall", a)
	}
	h.submit(1, 1, 16, [8]byte{})
	if a := h.read(true); a.status != statusOverflow {
		t.Errorf("room for 16 bytes of video: %+v, want an overflow", a)
	}
	if err := h.pull(); err != nil {
		t.Errorf("pulled out: %v", err)
	}
}

func TestGarbageEndsTheConnection(t *testing.T) {
	t.Parallel()
	h := plug(t, New())
	h.write(make([]byte, headSize))
	if err := <-h.end; err == nil {
		t.Error("a message of zeros was accepted")
	}
}

func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	good := New().next(Sizes()[2])
	if _, err := Check(good); err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(good)
	changed[len(changed)/2] ^= 1
	for name, bad := range map[string][]byte{
		"one bit changed": changed,
		"end missing":     good[:len(good)-1],
		"comment gone":    append([]byte{0xFF, 0xD8}, good[headLength:]...),
		"only the head":   good[:headLength],
		"start of a head": good[:7],
		"nothing":         nil,
	} {
		if _, err := Check(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNextDue(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	period := 100 * time.Millisecond
	for name, c := range map[string]struct{ late, want time.Duration }{
		"early":      {20 * time.Millisecond, period},
		"a bit late": {150 * time.Millisecond, period},
		"very late":  {time.Second, time.Second},
	} {
		if got := nextDue(start, start.Add(c.late), period).Sub(start); got != c.want {
			t.Errorf("%s: due %v after the last, want %v", name, got, c.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(New().next(Sizes()[2]))
	f.Add([]byte{0xFF, 0xD8, 0xFF, 0xFE})
	f.Fuzz(func(t *testing.T, b []byte) {
		if number, err := Check(b); err == nil && !bytes.Equal(stamp(append([]byte{0xFF, 0xD8}, b[headLength:]...), number),
			b) {
			t.Error("accepted bytes that the camera does not make")
		}
	})
}

func ExampleCamera_Attach() {
	plugged, err := New().Attach()
	if err != nil {
		return // not root, or no vhci-hcd
	}
	// /dev/videoN appears now.
	if err := plugged.Unplug(); err != nil {
		fmt.Println(err)
	}
}
