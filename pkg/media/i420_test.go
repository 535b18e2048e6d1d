package media

import (
	"bytes"
	"strings"
	"testing"
)

func TestI420PackedIsTheSameMemory(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 2}, {3, 5}, {640, 480}, {641, 481}} {
		p := NewI420(size[0], size[1])
		if err := p.Validate(); err != nil {
			t.Fatalf("%v: %v", size, err)
		}
		p.Y[0], p.U[0], p.V[len(p.V)-1] = 1, 2, 3
		b := p.Packed()
		if len(b) != I420Size(size[0], size[1]) || &b[0] != &p.Y[0] || b[len(p.Y)] != 2 || b[len(b)-1] != 3 {
			t.Errorf("%v: Packed is not the picture's own memory in the order Y, U, V", size)
		}
		q, err := I420FromPacked(b, size[0], size[1])
		if err != nil || &q.U[0] != &p.U[0] || &q.V[0] != &p.V[0] {
			t.Errorf("%v: I420FromPacked does not share the planes: %v", size, err)
		}
	}
}

func TestI420PackedCopiesAView(t *testing.T) {
	whole := NewI420(8, 8)
	for i := range whole.Packed() {
		whole.Packed()[i] = byte(i)
	}
	view := &I420{Width: 3, Height: 3, StrideY: 8, StrideC: 4, Y: whole.Y[2*8+2:], U: whole.U[4+1:], V: whole.V[4+1:]}
	if err := view.Validate(); err != nil {
		t.Fatal(err)
	}
	want := []byte{18, 19, 20, 26, 27, 28, 34, 35, 36, 69, 70, 73, 74, 85, 86, 89, 90}
	if got := view.Packed(); !bytes.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestI420ErrorsNameTheField(t *testing.T) {
	if _, err := I420FromPacked(make([]byte, 5), 2, 2); err == nil || !strings.Contains(err.Error(), "needs 6") {
		t.Errorf("short data: %v", err)
	}
	if _, err := I420FromPacked(nil, 0, 2); err == nil || !strings.Contains(err.Error(), "0x2") {
		t.Errorf("zero width: %v", err)
	}
	for want, change := range map[string]func(*I420){
		"plane Y":     func(p *I420) { p.Y = p.Y[:len(p.Y)-1] },
		"plane U":     func(p *I420) { p.U = nil },
		"plane V":     func(p *I420) { p.V = p.V[1:] },
		"stride of Y": func(p *I420) { p.StrideY = 3 },
		"stride of U": func(p *I420) { p.StrideC = -2 },
		"size 4x9000": func(p *I420) { p.Height = 9000 },
	} {
		p := NewI420(4, 4)
		change(p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	if err := (*I420)(nil).Validate(); err == nil {
		t.Error("nil picture passes Validate")
	}
}
