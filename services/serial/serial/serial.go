// Package serial is the device kind "serial": it reads the configuration, opens the port it names, and
// connects it with the board, the gRPC services and the bus. Everything that runs is owned by the
// driver's Run, which package device calls, or ends with the device.
package serial

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/services/serial/board"
	"github.com/waldo-robot/waldo/services/serial/port"
	"github.com/waldo-robot/waldo/services/serial/service"
	"github.com/waldo-robot/waldo/services/serial/simboard"
	"github.com/waldo-robot/waldo/services/serial/tty"
)

// Kind is what package device runs.
func Kind() device.Kind[Config] {
	return device.Kind[Config]{Name: "serial", Version: version.Version, Defaults: Defaults(), OneCore: true,
		New: newDriver}
}

// driver runs one board.
type driver struct {
	kit      *device.Kit
	config   Config
	open     opener
	board    *board.Board
	actuator *actuator.Actuator // nil for a board that moves nothing
	rx       *device.Out[*serialv1.SerialMessage]
}

func newDriver(kit *device.Kit, config Config) (device.Driver, error) {
	d, err := newDriverOf(kit, config, open, config.longestTurn())
	if err != nil {
		return nil, err
	}
	return d, nil
}

// newDriverOf opens ports with open, and counts as hanging if work on what was read, or to be written, takes longer
// than longest.
func newDriverOf(kit *device.Kit, config Config, open opener, longest time.Duration) (*driver, error) {
	r, err := config.reading()
	if err != nil {
		return nil, err
	}
	w, err := config.writing()
	if err != nil {
		return nil, err
	}
	d := &driver{kit: kit, config: config, open: open}
	boardConfig := board.Config{
		Epoch: kit.Epoch(), Reader: r.codec, Splitter: r.splitter, Writer: w.codec, Frame: w.frame,
		WriteDelay: config.WriteDelay, Hint: r.hint, AwaitStart: config.StartOnce, Log: kit.Log, Metrics: kit.Metrics,
		Turn: kit.Loop(longest).Begin,
	}
	serving := service.Config{Writer: w.codec, Port: describe(config, r, w)}
	if config.Control != nil {
		if serving.Safe, err = config.safe(w); err != nil {
			return nil, err
		}
		boardConfig.Safe, boardConfig.Ramp = serving.Safe, config.Control.Ramp
		config.Control.Coast, serving.FullScale = config.Control.Ramp, config.Control.FullScale
	}
	d.board = board.New(boardConfig)
	serving.Board = d.board
	if config.Control != nil {
		if d.actuator, err = actuator.New(kit, config.Control.Config, d.board, w.codec.JSON(serving.Safe)); err != nil {
			return nil, err
		}
		serving.Arbiter = d.actuator
	}
	served := service.New(serving)
	serialv1.RegisterSerialServiceServer(kit, served)
	kit.OnStop(served.Close)
	d.rx = device.NewOut[*serialv1.SerialMessage](kit, "rx", device.OutOptions{})
	context.AfterFunc(kit.Stopping(), d.board.Close) // ends the calls in progress
	return d, nil
}

// longestTurn is how long the line may take for what is written at once, and what the system and an adapter hold
// already, 10 bits a byte, and 15 s for a busy machine.
func (c Config) longestTurn() time.Duration {
	const buffers, bits = 3, 10
	return 15*time.Second + buffers*bits*board.WriteSize*time.Second/time.Duration(max(c.Baud, minBaud))
}

// describe returns the description of the port for GetPort.
func describe(c Config, r reading, w writing) *serialv1.Port {
	return &serialv1.Port{
		Name: strings.ToValidUTF8(c.Port, "�"), Baud: int32(c.Baud), Read: c.Read, Write: c.Write, ReadFields: r.infos,
		WriteFields: w.infos, Actuator: c.Control != nil,
	}
}

// opener opens the port that a configuration names, for a board.
type opener func(Config, *board.Board) (port.Port, error)

func open(c Config, b *board.Board) (port.Port, error) {
	if c.Port == portSim {
		return simboard.Open(simboard.Config{While: b.WhileRead})
	}
	return tty.Open(c.Port, tty.Config{Baud: c.Baud, Mode: c.Mode, DTR: c.DTR, RTS: c.RTS})
}

// Run opens the port and runs the board until it goes away or ctx ends.
func (d *driver) Run(ctx context.Context, ready func()) error {
	p, err := d.open(d.config, d.board)
	if err != nil {
		return err
	}
	d.kit.SetAttributes(map[string]string{
		"driver": d.driverName(), "port": d.config.Port, "baud": strconv.Itoa(d.config.Baud), "read": d.config.Read,
		"write": d.config.Write,
	})
	ctx, cancel := context.WithCancel(ctx)
	var publishing sync.WaitGroup
	defer publishing.Wait()
	defer cancel()
	publishing.Go(func() {
		device.Serve(ctx, d.rx, func() (*board.Reader, error) { return d.board.Subscribe(), nil })
	})
	hooks := board.Hooks{Attached: ready}
	if d.actuator != nil {
		hooks = board.Hooks{Attached: func() { d.actuator.Attach(); ready() }, Detaching: d.actuator.Detach}
	}
	return d.board.Run(ctx, p, hooks)
}

func (d *driver) driverName() string {
	if d.config.Port == portSim {
		return "sim"
	}
	return "tty"
}
