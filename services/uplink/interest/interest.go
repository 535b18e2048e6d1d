// Package interest remembers which streams somebody at the hub reads: who holds them, and until when. A hold reaches
// the device over the robot's leaf, and the uplink hears it too.
//
// A table is a state machine without goroutines or a clock. It is not safe for concurrent use.
package interest

import (
	"time"
)

const (
	// maxHolders bounds what strangers can make a table remember of a stream, as a device does.
	maxHolders = 1000
	// maxHolder bounds the name of a holder, in bytes, and maxTTL the time of a hold, as a device does.
	maxHolder = 128
	maxTTL    = time.Minute
)

// Table has the holds of one device.
type Table struct {
	streams map[string]map[string]time.Time // until when, by stream and holder
}

// Hold makes, extends or, with a ttl of 0, ends a hold. What a device would refuse is ignored.
func (t *Table) Hold(stream, holder string, ttl time.Duration, now time.Time) {
	if holder == "" || len(holder) > maxHolder || ttl > maxTTL {
		return
	}
	holders := t.streams[stream]
	if ttl <= 0 {
		if delete(holders, holder); len(holders) == 0 {
			delete(t.streams, stream)
		}
		return
	}
	if _, known := holders[holder]; !known && len(holders) >= maxHolders {
		return
	}
	if holders == nil {
		if t.streams == nil {
			t.streams = map[string]map[string]time.Time{}
		}
		holders = map[string]time.Time{}
		t.streams[stream] = holders
	}
	holders[holder] = now.Add(ttl)
}

// Expire ends the holds whose time is over.
func (t *Table) Expire(now time.Time) {
	for stream, holders := range t.streams {
		for holder, until := range holders {
			if !until.After(now) {
				delete(holders, holder)
			}
		}
		if len(holders) == 0 {
			delete(t.streams, stream)
		}
	}
}

// Held reports whether somebody reads a stream.
func (t *Table) Held(stream string) bool { return len(t.streams[stream]) > 0 }

// Streams is how many streams are held.
func (t *Table) Streams() int { return len(t.streams) }
