package boardsim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// How the board identifies itself on USB.
const (
	Manufacturer = "Waldo"
	Product      = "Simulated Board"
	Serial       = "LAB0001"
)

const (
	configFS    = "/sys/kernel/config"
	controllers = "/sys/class/udc"

	acm = "acm.line"
	hid = "hid.pad"
)

// Board is a USB device that can be plugged in.
type Board struct {
	dir string // its folder in configfs
}

// Build assembles the board, not plugged in yet. It needs root, configfs at /sys/kernel/config, and the kernel modules
// dummy_hcd, libcomposite, usb_f_acm, and usb_f_hid.
func Build() (*Board, error) {
	gadgets := filepath.Join(configFS, "usb_gadget")
	if _, err := os.Stat(gadgets); err != nil {
		return nil, fmt.Errorf("USB devices cannot be assembled: mount configfs at %s and run \"modprobe "+
			"libcomposite\": %w", configFS, err)
	}
	return build(gadgets)
}

// file is one attribute of the board.
type file struct{ name, content string }

func build(gadgets string) (*Board, error) {
	b := &Board{filepath.Join(gadgets, "waldo")}
	for _, dir := range b.folders() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	for _, f := range []file{
		{"idVendor", "0x2341"}, {"idProduct", "0x0043"}, {"bcdUSB", "0x0200"},
		{"bDeviceClass", "0xef"}, {"bDeviceSubClass", "2"}, {"bDeviceProtocol", "1"}, // made of several functions
		{"strings/0x409/manufacturer", Manufacturer}, {"strings/0x409/product", Product},
		{"strings/0x409/serialnumber", Serial},
		{"functions/" + hid + "/report_length", fmt.Sprint(PadReportSize)},
		{"functions/" + hid + "/report_desc", string(padDescriptor)},
	} {
		if err := os.WriteFile(filepath.Join(b.dir, f.name), []byte(f.content), 0o644); err != nil {
			return nil, err
		}
	}
	for _, function := range []string{acm, hid} {
		if err := os.Symlink(filepath.Join(b.dir, "functions", function),
			filepath.Join(b.dir, "configs/c.1", function)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// folders are the folders of a board, outermost first.
func (b *Board) folders() []string {
	list := []string{b.dir}
	for _, name := range []string{"strings/0x409", "functions/" + acm, "functions/" + hid, "configs/c.1"} {
		list = append(list, filepath.Join(b.dir, name))
	}
	return list
}

// Plug plugs the board in. It returns at once; the kernel takes a moment to find the board and make its device files.
func (b *Board) Plug() error {
	there, err := os.ReadDir(controllers)
	if err != nil || len(there) == 0 {
		return errors.Join(errors.New("USB device controller not found: run \"modprobe dummy_hcd\" as root"), err)
	}
	return b.bind(there[0].Name())
}

// Unplug pulls the cable. It may be called more than once.
func (b *Board) Unplug() error {
	bound, err := os.ReadFile(filepath.Join(b.dir, "UDC"))
	if err != nil || strings.TrimSpace(string(bound)) == "" {
		return err
	}
	return b.bind("")
}

func (b *Board) bind(controller string) error {
	return os.WriteFile(filepath.Join(b.dir, "UDC"), []byte(controller+"\n"), 0o644)
}

// Remove unplugs the board and takes it apart.
func (b *Board) Remove() error {
	errs := []error{b.Unplug()}
	for _, function := range []string{acm, hid} {
		errs = append(errs, os.Remove(filepath.Join(b.dir, "configs/c.1", function)))
	}
	folders := b.folders()
	slices.Reverse(folders)
	for _, dir := range folders {
		errs = append(errs, os.Remove(dir))
	}
	return errors.Join(errs...)
}

// Line returns the device file of the board's end of the serial line. It exists as long as the board does, plugged in
// or not.
func (b *Board) Line() (string, error) {
	number, err := os.ReadFile(filepath.Join(b.dir, "functions", acm, "port_num"))
	if err != nil {
		return "", err
	}
	return "/dev/ttyGS" + strings.TrimSpace(string(number)), nil
}

// padFile returns the device file of the board's end of the gamepad, which exists while the board is plugged in.
func (b *Board) padFile() (string, error) {
	text, err := os.ReadFile(filepath.Join(b.dir, "functions", hid, "dev"))
	if err != nil {
		return "", err
	}
	_, minor, found := strings.Cut(strings.TrimSpace(string(text)), ":")
	if !found {
		return "", fmt.Errorf("%w: the gamepad's device number is %q", fs.ErrNotExist, text)
	}
	return "/dev/hidg" + minor, nil
}
