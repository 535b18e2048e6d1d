// Package replayed describes the robot that a recording is replayed as: a player, a device for each that was recorded,
// and a gateway, all on ports of their own.
//
// Nothing here starts a goroutine or keeps a file open.
package replayed

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/recording/write"
)

// File is the name of the robot's file in errors: there is none on the disk.
const File = robot.Replayed

// defaultName is that of a robot whose recording does not name it.
const defaultName = "replay"

// free is any free port of this machine only.
const free = "127.0.0.1:0"

// Files returns the paths of a recording's files. One that is the first of several of a recording stands for all of
// them.
func Files(given []string) ([]string, error) {
	var all []string
	for _, path := range given {
		path, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		all = append(all, path)
	}
	return folder.Whole(all)
}

// Options says how a recording is replayed.
type Options struct {
	Files        []string
	Name         string // of the robot; empty: as it was recorded
	HTTP         string // where the page is served; empty: on a free port
	Speed        float64
	Start        time.Duration
	Loop, Paused bool
}

// Robot returns the text of a robot.yaml.
func Robot(r *play.Recording, o Options) ([]byte, error) {
	devices, _ := r.Devices()
	if len(devices) == 0 {
		return nil, errors.New("there is no device in the recording, and no pictures of another program: nothing can be " +
			"replayed")
	}
	name, err := nameOf(r, o.Name)
	if err != nil {
		return nil, err
	}
	if length := r.Duration(); o.Start > length {
		return nil, fmt.Errorf("--start: %v is after the end of the recording, which is %v long", o.Start,
			length.Round(time.Millisecond))
	}
	http, ice, ports, err := addresses(o.HTTP, len(devices)+1)
	if err != nil {
		return nil, err
	}
	player := "player"
	taken := func(name string) bool {
		for _, d := range devices {
			if d.Name == name {
				return true
			}
		}
		return false
	}
	for n := 2; taken(player); n++ {
		player = "player-" + strconv.Itoa(n)
	}
	sections := map[string]any{player: map[string]any{
		"kind": "player", "grpc": ports[0], "files": o.Files, "speed": o.Speed, "start": o.Start.String(), "loop": o.Loop,
		"paused": o.Paused, "messages": true,
	}}
	for i, d := range devices {
		sections[d.Name] = map[string]any{"kind": "replay", "grpc": ports[i+1], "files": o.Files, "player": player}
	}
	return json.MarshalIndent(map[string]any{ // which is YAML
		"robot": name, "devices": sections, "gateway": map[string]any{"http": http, "ice": ice},
		"nats": map[string]any{"listen": free},
	}, "", "  ")
}

// nameOf returns the name of the robot.
func nameOf(r *play.Recording, given string) (string, error) {
	if given != "" {
		if err := robot.CheckName(given); err != nil {
			return "", fmt.Errorf("--robot: %w", err)
		}
		return given, nil
	}
	about, err := r.Metadata(write.AboutRobot)
	if err != nil || robot.CheckName(about["robot"]) != nil {
		return defaultName, err
	}
	return about["robot"], nil
}

// addresses returns where the gateway serves the page, where media comes from, and where n devices serve gRPC. They
// stay the same if a process restarts.
func addresses(http string, n int) (page, ice string, devices []string, err error) {
	host, _, err := net.SplitHostPort(cmp.Or(http, free))
	if err != nil {
		return "", "", nil, fmt.Errorf("--http: %q is not an address: write host:port, like 127.0.0.1:8081", http)
	}
	all, err := freeAddresses(n + 2)
	if err != nil {
		return "", "", nil, err
	}
	_, port, err := net.SplitHostPort(all[1])
	return cmp.Or(http, all[0]), net.JoinHostPort(host, port), all[2:], err
}

// Why says why a channel is not replayed.
func Why(c *play.Channel) string {
	if !c.Foreign() {
		return "a " + c.Waldo.Kind + " is not replayed"
	}
	if err := play.CheckForeign(c); err != nil {
		return err.Error()
	}
	return "it has no message"
}
