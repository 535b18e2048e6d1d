package machine

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Accelerators, best first.
const (
	KVM = "kvm"
	TCG = "tcg,thread=multi"
)

// probeLimit is many times longer than KVM takes to boot the initrd.
const probeLimit = 10 * time.Second

// Probe finds the fastest accelerator that works here, by booting: a /dev/kvm that opens may still be unable to run a
// stock kernel. The file cache, if not empty, keeps the answer until the host reboots; probing takes up to 10 s.
func (m Machine) Probe(ctx context.Context, cache string) (string, error) {
	key := m.probeKey()
	if cache != "" {
		if known, err := os.ReadFile(cache); err == nil {
			if accelerator, ok := strings.CutPrefix(string(known), key); ok {
				return accelerator, nil
			}
		}
	}
	accelerator, err := m.probe(ctx)
	if err != nil || cache == "" {
		return accelerator, err
	}
	return accelerator, os.WriteFile(cache, []byte(key+accelerator), 0o644)
}

func (m Machine) probe(ctx context.Context) (string, error) {
	if !canOpen("/dev/kvm") {
		return TCG, nil
	}
	bounded, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	if m.boots(bounded, KVM) {
		return KVM, nil
	}
	return TCG, ctx.Err()
}

func canOpen(device string) bool {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	return err == nil && f.Close() == nil
}

// boots reports whether the initrd comes up and the machine powers off in time.
func (m Machine) boots(ctx context.Context, accelerator string) bool {
	m.Accelerator = accelerator
	var console bytes.Buffer
	err := m.qemu(ctx, append(m.args("lab=probe"), "-serial", "stdio"), nil, nil, &console)
	return err == nil && bytes.Contains(console.Bytes(), []byte("LAB-ALIVE"))
}

// probeKey changes with the host's boot and with the image.
func (m Machine) probeKey() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	image, absErr := filepath.Abs(m.Image)
	if errors.Join(err, absErr) != nil {
		return "unknown host " // an answer is still only used for the same unknown
	}
	return strings.TrimSpace(string(boot)) + " " + image + " "
}
