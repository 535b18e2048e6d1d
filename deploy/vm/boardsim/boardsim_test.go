package boardsim

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestBuild assembles a board in a plain folder, without the files that configfs adds.
func TestBuild(t *testing.T) {
	t.Parallel()
	b, err := build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"idVendor":                          "0x2341",
		"strings/0x409/serialnumber":        "LAB0001",
		"functions/hid.pad/report_desc":     string(padDescriptor),
		"configs/c.1/hid.pad/report_length": "7", // through the link
	} {
		if got, err := os.ReadFile(filepath.Join(b.dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"acm.line", "hid.pad"} {
		if to, err := os.Readlink(filepath.Join(b.dir, "configs/c.1", name)); err != nil ||
			to != filepath.Join(b.dir, "functions", name) {
			t.Errorf("%s leads to %q, %v", name, to, err)
		}
	}
}

func TestDeviceFiles(t *testing.T) {
	t.Parallel()
	b, err := build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if path, err := b.Line(); err == nil {
		t.Errorf("a line without a number: %q", path)
	}
	for _, f := range []file{{acm + "/port_num", "3\n"}, {hid + "/dev", "236:2\n"}} {
		if err := os.WriteFile(filepath.Join(b.dir, "functions", f.name), []byte(f.content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if path, err := b.Line(); path != "/dev/ttyGS3" || err != nil {
		t.Errorf("the line is %q, %v", path, err)
	}
	if path, err := b.padFile(); path != "/dev/hidg2" || err != nil {
		t.Errorf("the gamepad is %q, %v", path, err)
	}
}

func TestUnplugTwice(t *testing.T) {
	t.Parallel()
	b, err := build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	udc := filepath.Join(b.dir, "UDC")
	if err := b.bind("dummy_udc.0"); err != nil {
		t.Fatal(err)
	}
	if err := b.Unplug(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(udc); err != nil || string(text) != "\n" {
		t.Errorf("the controller is %q, %v", text, err)
	}
	const free = " \n" // Unplug leaves it alone: the kernel would refuse a second time
	if err := os.WriteFile(udc, []byte(free), 0o600); err != nil {
		t.Fatal(err)
	}
	err = b.Unplug()
	if text, readErr := os.ReadFile(udc); err != nil || readErr != nil || string(text) != free {
		t.Errorf("again: %v; the controller is %q, %v", err, text, readErr)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		report PadReport
		want   []byte
	}{
		"resting": {Resting(), []byte{128, 128, 128, 128, 8, 0, 0}},
		"all":     {PadReport{1, 2, 3, 4, 5, 0x0abc}, []byte{1, 2, 3, 4, 5, 0xbc, 0x0a}},
	} {
		if got := c.report.bytes(); !bytes.Equal(got, c.want) || len(got) != PadReportSize {
			t.Errorf("%s is % x, want % x", name, got, c.want)
		}
	}
}

// TestDescriptor adds up the bits of a report according to the descriptor: size times count of each input.
func TestDescriptor(t *testing.T) {
	t.Parallel()
	const reportSize, reportCount, input = 0x74, 0x94, 0x80 // without the size of the item
	var size, count, bits int
	for i := 0; i < len(padDescriptor); {
		item := padDescriptor[i]
		length := int(item & 3)
		switch item &^ 3 {
		case reportSize:
			size = int(padDescriptor[i+1])
		case reportCount:
			count = int(padDescriptor[i+1])
		case input:
			bits += size * count
		}
		i += 1 + length
	}
	if bits != 8*PadReportSize {
		t.Errorf("a report has %d bits, want %d", bits, 8*PadReportSize)
	}
}
