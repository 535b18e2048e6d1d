// Waldo runs robots and looks after them: `waldo up` starts a robot, `waldo ls` lists its devices,
// `waldo snapshot` takes a picture, `waldo view` shows a camera, `waldo watch`, `waldo send` and `waldo call` read from
// its devices, write to them and call them, `waldo estop` stops it. `waldo help` lists all commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/output"
	"github.com/waldo-robot/waldo/pkg/text"
)

const description = `Waldo runs robots: one process for each device, a bus between them, and a page in the browser.

  waldo up                         run the built-in robot; open the page it prints
  waldo up robot.yaml              run your own robot
  waldo install robot.yaml         run it with systemd, from now on and after every start of the machine
  waldo doctor                     find out what is wrong with this machine
  waldo ls                         list the running devices
  waldo replay drive.mcap          bring the devices of a recording back, as they were
  waldo restart front              restart the process of the device "front"
  waldo upgrade                    replace all processes by those of the installed programs, without a gap
  waldo reload                     read robot.yaml again, and restart what has changed
  waldo discover                   find network cameras and their streams
  waldo snapshot front -o a.jpg    take a picture with the camera "front"
  waldo view front                 show it in a window
  waldo watch motors               print the messages of the board "motors"
  waldo watch voice                print the sound levels of "voice", and who is talking
  waldo call front                 list the methods of "front"; add a method and a request to call one
  waldo send motors '[10, 10]'     send it a message, under a lease if it can move something
  waldo estop                      stop everything that moves, until waldo estop --clear
  waldo record start               record the robot, until waldo record stop; mark TEXT marks a moment
  waldo recordings                 list the recordings of the robot, or of a folder
  waldo export a.mcap --to a.mp4   pictures and sound as they were recorded; --format csv: messages
  waldo audit                      who drove, when, and what was refused
  waldo token create anna --role driver
                                   make a token, with which anna may drive
  waldo trust robot.yaml           print what phones, browsers and programs need to trust the robot's certificate
  waldo link robot.yaml            print the link to the robot's page at its rendezvous server
  waldo hub hub.yaml               run a server at which the robots of a fleet meet
  waldo rendezvous                 run a server through which robots are reached from anywhere

Exit codes: 0 done, or stopped on request; 1 it failed; 2 wrong command line;
71 an address is in use; 74 an e-stop is in force but could not be stored; 78 the configuration is wrong.`

const (
	// exitUsage is the exit code for an invalid command line.
	exitUsage = 2
	// exitNotKept is the exit code for an e-stop that is in force but would not survive a restart; the
	// number is EX_IOERR of sysexits.h.
	exitNotKept = 74
)

// lastWords bounds the final wait for a blocked output.
const lastWords = 100 * time.Millisecond

// commands is the command line.
type commands struct {
	Up  upCommand  `cmd:"" help:"Run a robot: its devices, the gateway and, unless it uses another, a NATS server."`
	Bus busCommand `cmd:"" help:"Run only the NATS server, for devices that are started one by one."`

	Replay replayCommand `cmd:"" help:"Bring the devices of a recording back, as they were."`

	Install installCommand `cmd:"" help:"Run a robot as units of systemd, or change what they run."`

	Doctor doctorCommand `cmd:"" help:"Find out what is wrong with this machine."`

	Ls         lsCommand         `cmd:"" help:"List the devices on the bus."`
	Restart    restartCommand    `cmd:"" help:"Restart the process of a device."`
	Upgrade    upgradeCommand    `cmd:"" help:"Replace the process of a device by one of the installed program, without a gap."`
	Reload     reloadCommand     `cmd:"" help:"Read robot.yaml again, and restart what has changed."`
	Discover   discoverCommand   `cmd:"" help:"Find network cameras, and list their streams."`
	Snapshot   snapshotCommand   `cmd:"" help:"Take a picture with a camera."`
	View       viewCommand       `cmd:"" help:"Show a camera in a window."`
	Watch      watchCommand      `cmd:"" help:"Print a device's messages, one line of JSON each."`
	Call       callCommand       `cmd:"" help:"Call a method of a device, or list its methods."`
	Send       sendCommand       `cmd:"" help:"Send a message to a device; to a board that moves something, under a lease."`
	Estop      estopCommand      `cmd:"" help:"Stop everything that moves, and keep it stopped until cleared."`
	Record     recordCommand     `cmd:"" help:"Begin, mark and end recordings."`
	Recordings recordingsCommand `cmd:"" help:"List recordings."`
	Export     exportCommand     `cmd:"" help:"Write what is in recordings as MP4, CSV, or a LeRobot dataset."`

	Audit auditCommand `cmd:"" help:"Tell who drove, with which commands; find out whether that was altered."`

	Trust trustCommand `cmd:"" help:"Print what phones, browsers and programs need to trust the robot's certificate."`
	Link  linkCommand  `cmd:"" help:"Print the link to a robot's page at its rendezvous server."`
	Token tokenCommand `cmd:"" help:"Make, list and revoke tokens, which let others reach the robot."`

	Hub        hubCommand        `cmd:"" help:"Run a server at which the robots of a fleet meet."`
	Rendezvous rendezvousCommand `cmd:"" help:"Run a server through which robots behind NAT are reached from anywhere."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// console is where a command prints.
type console struct {
	out, err io.Writer
}

func main() {
	output.Survive() // a program that runs motors, or stops them, must not end because nobody reads its output
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends waldo at once, and the kernel ends what it runs
	os.Exit(run(ctx, os.Args[1:], console{os.Stdout, os.Stderr}))
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, c console) int {
	if len(args) == 0 || args[0] == "help" {
		args = append(args[min(1, len(args)):len(args):len(args)], "--help")
	}
	shown := false
	parser, err := kong.New(&commands{}, kong.Name("waldo"), kong.Description(description), kong.Writers(c.out, c.err),
		kong.Exit(func(int) { shown = true }), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(c),
		kong.Vars{"deadman": control.DefaultDeadman.String()},
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 100}))
	if err != nil {
		c.fail(err)
		return 1
	}
	parsed, err := parser.Parse(args)
	switch {
	case shown: // the help was asked for
		return 0
	case err != nil:
		c.fail(fmt.Errorf("%w; see waldo --help", err))
		return exitUsage
	}
	err = parsed.Run()
	switch {
	case err == nil:
		return 0
	case !errors.Is(err, syscall.EPIPE): // the reader has left, as head does: not worth a message
		c.fail(err)
	}
	return exitCode(err)
}

// patient calls f with a standard output that never blocks.
func (c console) patient(f func(out io.Writer) error) error {
	out := output.NewWriter(c.out, func(int64) string { return "" })
	defer out.Close(lastWords)
	return f(out)
}

// plain is for text from others: it escapes characters that are invisible or act on a terminal.
func (c console) plain() console { return console{text.NewWriter(c.out), text.NewWriter(c.err)} }

// fail prints an error.
func (c console) fail(err error) {
	// there is nowhere else to report it
	_, _ = fmt.Fprintf(text.NewWriter(c.err), "waldo: %s\n", access.RedactText(err.Error()))
}

// configurationError is an error that only the user can fix.
type configurationError struct{ error }

func (e configurationError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var configuration configurationError
	switch {
	case onlyNotKept(err):
		return exitNotKept
	case errors.Is(err, launch.ErrAddressInUse), errors.Is(err, launch.ErrRunning):
		return device.ExitAddress
	case errors.As(err, &configuration):
		return device.ExitConfiguration
	default:
		return 1
	}
}

// onlyNotKept tells whether the only failure is that e-stops could not be stored.
func onlyNotKept(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return !onlyNotKept(e) })
	}
	return errors.Is(err, errNotKept)
}
