package service

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// GetVolume implements AudioService.
func (s *Service) GetVolume(context.Context, *audiov1.GetVolumeRequest) (*audiov1.GetVolumeResponse, error) {
	r := &audiov1.GetVolumeResponse{}
	if m := s.config.Microphone; m != nil {
		r.Microphone = m.Volume().Get()
	}
	if p := s.config.Speaker; p != nil {
		r.Speaker = p.Volume.Get()
	}
	return r, nil
}

// SetVolume implements AudioService. If one value is wrong nothing is changed.
func (s *Service) SetVolume(ctx context.Context, r *audiov1.SetVolumeRequest) (*audiov1.SetVolumeResponse, error) {
	switch {
	case r.GetMicrophone() != nil && s.config.Microphone == nil:
		return nil, s.errNoMicrophone()
	case r.GetSpeaker() != nil && s.config.Speaker == nil:
		return nil, s.errNoSpeaker()
	}
	for name, v := range map[string]*audiov1.Volume{"microphone": r.GetMicrophone(), "speaker": r.GetSpeaker()} {
		if db := v.GetGainDb(); !(db >= pcm.MinGain && db <= pcm.MaxGain) { // written so that NaN fails
			return nil, status.Errorf(codes.OutOfRange, "%s.gain_db is %v, must be %d to %d; for silence set muted",
				name, db, pcm.MinGain, pcm.MaxGain)
		}
	}
	if v := r.GetMicrophone(); v != nil {
		s.config.Microphone.Volume().Set(v)
	}
	if v := r.GetSpeaker(); v != nil {
		s.config.Speaker.Volume.Set(v)
	}
	now, err := s.GetVolume(ctx, nil)
	return &audiov1.SetVolumeResponse{Microphone: now.GetMicrophone(), Speaker: now.GetSpeaker()}, err
}
