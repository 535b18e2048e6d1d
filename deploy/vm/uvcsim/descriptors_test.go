package uvcsim

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"
)

func TestDescriptorLengths(t *testing.T) {
	t.Parallel()
	if d := deviceDescriptor(); len(d) != 18 || d[0] != 18 {
		t.Errorf("device descriptor is %d bytes and says %d, want 18", len(d), d[0])
	}
	config := configurationDescriptor()
	if said := int(binary.LittleEndian.Uint16(config[2:])); said != len(config) {
		t.Errorf("configuration is %d bytes and says %d", len(config), said)
	}
	var kinds []byte
	for rest := config; len(rest) > 0; rest = rest[rest[0]:] {
		if int(rest[0]) > len(rest) || rest[0] < 2 {
			t.Fatalf("%d bytes before the end a descriptor says it has %d", len(rest), rest[0])
		}
		kinds = append(kinds, rest[1])
	}
	// configuration, association, control interface and its 4 parts, streaming interface and its header, format, sizes
	// and colours, endpoint
	want := []byte{2, 11, 4, 0x24, 0x24, 0x24, 0x24, 4, 0x24, 0x24, 0x24, 0x24, 0x24, 0x24, 5}
	if string(kinds) != string(want) {
		t.Errorf("kinds of descriptors % x, want % x", kinds, want)
	}
}

func TestClassDescriptorTotals(t *testing.T) {
	t.Parallel()
	control, video := controlClassDescriptors(), streamingClassDescriptors()
	if said := int(binary.LittleEndian.Uint16(control[5:])); said != len(control) {
		t.Errorf("control part is %d bytes and says %d", len(control), said)
	}
	if said := int(binary.LittleEndian.Uint16(video[4:])); said != len(video) {
		t.Errorf("streaming part is %d bytes and says %d", len(video), said)
	}
}

func TestFrameDescriptor(t *testing.T) {
	t.Parallel()
	for i, size := range Sizes() {
		d := frameDescriptor(byte(i+1), size)
		le := binary.LittleEndian
		if len(d) != 26+4*len(intervals()) || int(d[0]) != len(d) {
			t.Errorf("%v: %d bytes, says %d", size, len(d), d[0])
		}
		if int(le.Uint16(d[5:])) != size.Width || int(le.Uint16(d[7:])) != size.Height {
			t.Errorf("%v: says %dx%d", size, le.Uint16(d[5:]), le.Uint16(d[7:]))
		}
	}
}

func TestStringDescriptors(t *testing.T) {
	t.Parallel()
	for i, want := range []string{"\u0409", Manufacturer, Product, Serial} {
		d, ok := stringDescriptor(byte(i))
		if !ok || int(d[0]) != len(d) || d[1] != descriptorString {
			t.Fatalf("string %d: % x, %v", i, d, ok)
		}
		var units []uint16
		for j := 2; j < len(d); j += 2 {
			units = append(units, binary.LittleEndian.Uint16(d[j:]))
		}
		if got := string(utf16.Decode(units)); got != want {
			t.Errorf("string %d is %q, want %q", i, got, want)
		}
	}
	if _, ok := stringDescriptor(4); ok {
		t.Error("there is a string 4")
	}
}
