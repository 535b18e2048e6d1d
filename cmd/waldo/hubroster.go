package main

import (
	"log/slog"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus/hub"
)

// retold is the least time between two lines about a robot: one whose link comes and goes is four lines a minute.
const retold = 15 * time.Second

// roster is what was logged about the links of robots, by name. A robot that was never connected is not in it.
type roster map[string]told

// told is the last that was logged about a robot.
type told struct {
	linked bool
	at     time.Time
}

// look logs which robots have come and gone since the last time. What changes within retold is logged late, if it is
// still so then.
func (r roster) look(now time.Time, robots map[string]hub.Member, linked func(robot string) bool, log *slog.Logger) {
	for name := range robots {
		last, known := r[name]
		if is := linked(name); is != last.linked && (!known || now.Sub(last.at) >= retold) {
			r[name] = told{is, now}
			if is {
				log.Info("a robot is connected", "robot", name)
			} else {
				log.Warn("a robot has left, or its link is broken", "robot", name)
			}
		}
	}
	for name, last := range r {
		if _, still := robots[name]; still {
			continue
		}
		if delete(r, name); last.linked {
			log.Info("a robot is no longer in the file, and was disconnected", "robot", name)
		}
	}
}
