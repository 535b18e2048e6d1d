package picture

import (
	"bytes"
	"errors"
	"maps"
	"slices"

	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// sets holds the newest parameter sets by their numbers, as announced or as they came in the stream.
type sets struct {
	codec     codec
	videos    map[int][]byte
	sequences map[int]*sequenceUnit
	pictures  map[int]pictureUnit
	broken    error // why the last set that could not be read could not
}

type sequenceUnit struct {
	unit   []byte
	parsed *sequence
}

type pictureUnit struct {
	unit     []byte
	sequence int
}

func newSets(c codec) *sets {
	return &sets{
		codec: c, videos: make(map[int][]byte), sequences: make(map[int]*sequenceUnit), pictures: make(map[int]pictureUnit),
	}
}

// announce adds sets that were announced, which may have start codes.
func (s *sets) announce(units [][]byte) {
	for _, unit := range units {
		if !bytes.Contains(unit, []byte{0, 0, 1}) {
			s.addChecked(unit)
			continue
		}
		for one := range annexb.NALs(append([]byte{0, 0, 1}, unit...)) {
			s.addChecked(one)
		}
	}
}

func (s *sets) addChecked(unit []byte) {
	if len(unit) > 0 {
		s.add(s.codec.role(unit), unit)
	}
}

// add takes a parameter set. It returns whether it is a picture parameter set that differs from the one before.
func (s *sets) add(r role, unit []byte) (newPicture bool) {
	if len(unit) > maxSet {
		s.broken = errSet
		return false
	}
	unit = bytes.Clone(unit) // it is kept, and what it came in may be large
	switch r {
	case videoSet:
		if id, ok := s.codec.videoID(unit); ok {
			s.videos[id] = unit
		}
	case sequenceSet:
		s.addSequence(unit)
	case pictureSet:
		id, sequence, ok := s.codec.pictureIDs(unit)
		if !ok {
			s.broken = errSet
			return false
		}
		newPicture = !bytes.Equal(s.pictures[id].unit, unit)
		s.pictures[id] = pictureUnit{unit, sequence}
	}
	return newPicture
}

func (s *sets) addSequence(unit []byte) {
	parsed, err := s.codec.sequence(unit)
	if err != nil {
		s.broken = err
		return
	}
	s.sequences[parsed.id] = &sequenceUnit{unit, parsed}
}

var errNoSets = errors.New("the camera has not sent the parameter sets of its pictures: " +
	"restart it, or set another resolution or codec in it")

// of returns the sequence that a key frame needs, by its first slice.
func (s *sets) of(first []byte) (*sequence, error) {
	if id, ok := s.codec.pictureSet(first); ok {
		if p, ok := s.pictures[id]; ok {
			if q, ok := s.sequences[p.sequence]; ok {
				s.broken = nil
				return q.parsed, nil
			}
		}
	}
	if s.broken != nil {
		return nil, s.broken
	}
	return nil, errNoSets
}

// needed returns all sets that pictures of a sequence may need.
func (s *sets) needed(q *sequence) (units [][]byte) {
	if video := s.videos[q.video]; video != nil {
		units = append(units, video)
	}
	units = append(units, s.sequences[q.id].unit)
	for _, id := range slices.Sorted(maps.Keys(s.pictures)) {
		if p := s.pictures[id]; p.sequence == q.id {
			units = append(units, p.unit)
		}
	}
	return units
}
