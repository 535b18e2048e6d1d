package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrNoStatus means that the guest ended without reporting its program's exit status.
var ErrNoStatus = errors.New("the guest ended without an exit status")

// Machine describes what to boot. Image is required; the zero value of everything else works.
type Machine struct {
	// Image is the folder of the kernel, the initrd, and the root file system.
	Image string
	// Accelerator is QEMU's -accel option, as [Machine.Probe] finds it. Default: "tcg,thread=multi", which works
	// everywhere.
	Accelerator string
	// MemoryMB is the guest's memory. Default: 1024.
	MemoryMB int
	// CPUs is the number of the guest's processors. Default: 2.
	CPUs int
	// SerialLink plugs in two USB serial adapters, FTDI FT232BM, whose lines are connected: what is sent on one arrives
	// at the other, at any rate. The guest needs the modules xhci_pci and ftdi_sio, and distinguishes the two by
	// [SerialNear] and [SerialFar].
	SerialLink bool
	// QEMU is the program to run. Default: qemu-system-x86_64.
	QEMU string
}

// Job is one program to run in the guest.
type Job struct {
	// Share is a folder of the host that the guest mounts as /host and may write to. The program runs in a copy of it.
	// The files job, status, console.log, and dmesg in it belong to the run.
	Share string
	// Command is the program, a path relative to Share, and its arguments. Empty: an interactive shell.
	Command []string
	// Env is added to the guest's environment, as NAME=value.
	Env []string
	// Stdin is needed only for a shell.
	Stdin *os.File
	// Output receives the program's standard output and standard error. Default: discarded.
	Output io.Writer
}

// Run boots the machine, runs the job, and returns its exit status. Afterwards console.log in the shared folder has
// the kernel's messages.
func (m Machine) Run(ctx context.Context, job Job) (status int, err error) {
	statusFile := filepath.Join(job.Share, "status")
	if err := os.Remove(statusFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(job.Share, "job"), []byte(script(job)), 0o644); err != nil {
		return 0, err
	}
	options := []string{"quiet", "loglevel=3"}
	if len(job.Command) == 0 {
		options = append(options, "lab=shell")
	}
	args := append(m.args(options...), shareArgs(job.Share)...)
	args = append(args, "-serial", "file:"+escape(filepath.Join(job.Share, "console.log")), "-serial", "stdio")
	var files []*os.File
	if m.SerialLink {
		if files, err = newLink(); err != nil {
			return 0, err
		}
		defer closeAll(files)
		args = append(args, linkArgs()...)
	}
	if err := m.qemu(ctx, args, files, job.Stdin, job.Output); err != nil {
		return 0, err
	}
	return readStatus(statusFile)
}

// Boot boots the system on a disk, a raw image with a root file system in ext4, until it switches itself off. When the
// context ends, the machine loses its power: what the guest has not yet written to its disk is lost. The output
// receives what the guest writes to its second serial port, /dev/ttyS1.
func (m Machine) Boot(ctx context.Context, disk string, output io.Writer) error {
	args := append(m.args("quiet", "loglevel=3", "lab=disk"),
		"-drive", "if=none,id=disk,format=raw,file="+escape(disk), "-device", "virtio-blk-pci,drive=disk",
		"-serial", "null", "-serial", "stdio")
	return m.qemu(ctx, args, nil, nil, output)
}

// qemu runs QEMU to its end. QEMU inherits the files, from number 3 on. The thread stays locked because the kernel
// kills a child with Pdeathsig when its parent's thread ends.
func (m Machine) qemu(ctx context.Context, args []string, files []*os.File, stdin *os.File, output io.Writer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	program := m.QEMU
	if program == "" {
		program = "qemu-system-x86_64"
	}
	var complaints strings.Builder
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = output, &complaints, files
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("the virtual machine was stopped: %w", context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("qemu: %w: %s", err, strings.TrimSpace(complaints.String()))
	}
	return nil
}

// args returns the machine itself: without network and display, with a read-only disk.
func (m Machine) args(options ...string) []string {
	accelerator, memory, cpus := m.Accelerator, m.MemoryMB, m.CPUs
	if accelerator == "" {
		accelerator = "tcg,thread=multi"
	}
	if memory == 0 {
		memory = 1024
	}
	if cpus == 0 {
		cpus = 2
	}
	kernelLine := "console=ttyS0 mitigations=off nokaslr tsc=reliable panic=-1 systemd.condition-needs-update=no " +
		strings.Join(options, " ")
	return []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-machine", "q35", "-accel", accelerator, "-cpu", "max", "-smp", strconv.Itoa(cpus), "-m", strconv.Itoa(memory),
		"-kernel", filepath.Join(m.Image, "vmlinuz"), "-initrd", filepath.Join(m.Image, "initrd.gz"), "-append", kernelLine,
		"-drive", "if=none,id=root,format=raw,readonly=on,file=" + escape(filepath.Join(m.Image, "root.sqfs")),
		"-device", "virtio-blk-pci,drive=root",
	}
}

func shareArgs(dir string) []string {
	return []string{
		"-fsdev", "local,id=share,security_model=none,multidevs=remap,path=" + escape(dir),
		"-device", "virtio-9p-pci,fsdev=share,mount_tag=host0",
	}
}

// escape makes a path fit into a list of QEMU options.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }

// script returns the shell script that the guest runs.
func script(job Job) string {
	var b strings.Builder
	for _, variable := range job.Env {
		fmt.Fprintln(&b, "export", quote(variable))
	}
	if len(job.Command) > 0 {
		b.WriteString("exec")
		for i, word := range job.Command {
			if i == 0 {
				word = "./" + word
			}
			b.WriteString(" " + quote(word))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// quote turns any text into one shell word.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func readStatus(file string) (int, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, ErrNoStatus
	}
	if err != nil {
		return 0, err
	}
	status, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || status < 0 || status > 255 {
		return 0, fmt.Errorf("%w: its status file contains %q", ErrNoStatus, text)
	}
	return status, nil
}
