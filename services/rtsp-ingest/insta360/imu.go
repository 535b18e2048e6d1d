package insta360

import (
	"encoding/binary"
	"math"
	"time"
)

// gravity is one g in m/s².
const gravity = 9.80665

// Sample is one measurement of accelerometer and gyroscope, in the camera's axes.
type Sample struct {
	Time         time.Duration // on the camera's clock
	Acceleration [3]float64    // m/s², gravity included
	Rotation     [3]float64    // rad/s
}

// Samples are the samples that came together; at least one.
type Samples struct {
	Arrival time.Time
	List    []Sample
}

// Records of samples: six numbers of 64 bits, in g and rad/s, on some models after the time in milliseconds.
const (
	values      = 6 * 8
	timedValues = 8 + values
	maxSamples  = 4096      // in a packet
	maxTime     = 1<<42 - 1 // milliseconds: 139 years
)

// samples reads a packet of the gyroscope. Of a packet that is neither sort of record, nothing comes.
func samples(data []byte, at uint64) []Sample {
	size := values
	if isTimed(data) {
		size = timedValues
	}
	if len(data)%size != 0 {
		return nil
	}
	list := make([]Sample, 0, min(len(data)/size, maxSamples))
	for ; len(data) > 0 && len(list) < maxSamples; data = data[size:] {
		record, t := data[:size], at
		if size == timedValues {
			t, record = binary.LittleEndian.Uint64(record), record[8:]
		}
		if s, ok := sample(record, t); ok {
			list = append(list, s)
		}
	}
	return list
}

// isTimed tells whether the records begin with a time: as such, the first eight bytes of others would be a number
// beyond all times, unless it is 0.
func isTimed(data []byte) bool {
	return len(data) > 0 && len(data)%timedValues == 0 &&
		(len(data)%values != 0 || binary.LittleEndian.Uint64(data) <= maxTime)
}

func sample(record []byte, at uint64) (s Sample, ok bool) {
	var v [6]float64
	for i := range v {
		v[i] = math.Float64frombits(binary.LittleEndian.Uint64(record[8*i:]))
		if math.IsNaN(v[i]) || math.IsInf(v[i], 0) {
			return Sample{}, false
		}
	}
	return Sample{
		Time:         duration(at),
		Acceleration: [3]float64{v[0] * gravity, v[1] * gravity, v[2] * gravity},
		Rotation:     [3]float64{v[3], v[4], v[5]},
	}, true
}

// duration makes a duration of a time of the camera, which may be any number.
func duration(at uint64) time.Duration { return time.Duration(at&maxTime) * timeOfCamera }
