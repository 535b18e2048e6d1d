package foxglove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
)

// serve does what a client asks. An error is for people.
func (s *session) serve(ctx context.Context, r request) error {
	switch r.op {
	case opSubscribe:
		return s.subscribeAll(ctx, r.subscriptions)
	case opUnsubscribe:
		return s.unsubscribe(r.subscriptionIDs)
	case opGetParameters:
		s.outbox.answer(ctx, parameterValues(s.gateway.parameters(s.view).named(r.names), r.id))
	case opSetParameters:
		if r.id != "" {
			s.outbox.answer(ctx, parameterValues(s.gateway.parameters(s.view).named(r.names), r.id))
		}
		return errors.New("parameters can be read here, and not be set: robot.yaml and the robot's page are for that")
	case opSubscribeParameters:
		return s.changeInterest(func(i *interest) error { return i.add(r.names, s.gateway.parameters(s.view)) })
	case opUnsubscribeParameters:
		return s.changeInterest(func(i *interest) error { i.remove(r.names); return nil })
	case opPlaybackControl:
		return s.control(ctx, r.playback)
	}
	return nil
}

func (s *session) changeInterest(change func(*interest) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return change(s.parameters)
}

// maxTold bounds the failures of one request that the client is told.
const maxTold = 5

// subscribeAll subscribes to channels, as far as that is possible.
func (s *session) subscribeAll(ctx context.Context, all []wanted) error {
	var errs []error
	failed := 0
	for _, w := range all {
		if err := s.subscribe(ctx, *w.ID, *w.Channel); err != nil {
			if failed++; failed <= maxTold {
				errs = append(errs, fmt.Errorf("subscription %d to channel %d: %s", *w.ID, *w.Channel,
					status.Convert(err).Message()))
			}
		}
	}
	if failed > maxTold {
		errs = append(errs, fmt.Errorf("and %d more", failed-maxTold))
	}
	return errors.Join(errs...)
}

// subscribe subscribes to a channel.
func (s *session) subscribe(ctx context.Context, id, channelID uint32) error {
	one, err := s.reserve(id, channelID)
	if err != nil {
		return err
	}
	what := "to read " + one.channel.topic
	need := roles.ReadStream
	if one.channel.device == "" {
		need = roles.ReadTopic
	}
	err = s.visitor.Require(need, one.channel.device, what)
	var leave func()
	if err == nil {
		leave, err = s.view.join(ctx, member{one, s.outbox})
	}
	s.mu.Lock()
	gone := s.byID[id] != one // the channel has gone meanwhile
	switch {
	case err != nil && !gone:
		s.forgetLocked(one)
	case err == nil && !gone:
		one.leave = leave
	}
	s.mu.Unlock()
	if err == nil && gone {
		leave()
	}
	return err
}

// reserve makes a subscription that is not joined yet.
func (s *session) reserve(id, channelID uint32) (*subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[channelID]
	switch {
	case c == nil:
		return nil, errors.New("there is no such channel, or no longer")
	case s.byID[id] != nil:
		return nil, errors.New("the id is used by another subscription: take another, or unsubscribe that first")
	case s.byChannel[channelID] != nil:
		return nil, fmt.Errorf("%s has a subscription already, %d", c.topic, s.byChannel[channelID].id)
	case len(s.byID) >= maxNamed:
		return nil, fmt.Errorf("there are %d subscriptions already, and no more are possible", maxNamed)
	}
	one := newSubscription(id, c)
	s.byID[id], s.byChannel[channelID] = one, one
	return one, nil
}

// forgetLocked makes a subscription be found no more.
func (s *session) forgetLocked(one *subscription) {
	delete(s.byID, one.id)
	delete(s.byChannel, one.channel.id)
}

// unsubscribe ends subscriptions.
func (s *session) unsubscribe(ids []uint32) error {
	unknown := 0
	for _, id := range ids {
		s.mu.Lock()
		one := s.byID[id]
		if one != nil {
			s.forgetLocked(one)
		}
		s.mu.Unlock()
		if one == nil {
			unknown++
			continue
		}
		s.drop(one)
	}
	if unknown > 0 {
		return fmt.Errorf("%d of the subscriptions are not there, or no longer", unknown)
	}
	return nil
}

// playerService is the service of players.
const playerService = "waldo.player.v1.PlayerService/"

// control has the player do what the client wants, and tells how it is then.
func (s *session) control(ctx context.Context, r playbackRequest) error {
	if !s.mayPlay {
		return errors.New("playback control: there is nothing to be played, or your role does not allow it")
	}
	err := s.steer(ctx, r)
	// Also after a failure: the client then shows what is.
	now, _ := s.view.player.place(time.Now())
	s.outbox.answer(ctx, s.stateOf(now, r.id).encode())
	return err
}

// stateOf is what the client is told of a place, in answer to a request or without one. A jump is told once: the client
// throws away what it has shown then.
func (s *session) stateOf(p place, id string) playbackState {
	s.mu.Lock()
	defer s.mu.Unlock()
	jumped := s.told.jump != p.jump || s.told.epoch != p.epoch
	s.told = p
	return playbackState{status: p.status, at: stamp(p.at), speed: p.speed, jumped: jumped, id: id}
}

// steer makes the calls.
func (s *session) steer(ctx context.Context, r playbackRequest) error {
	is, _ := s.view.player.place(time.Now())
	if r.seek != nil {
		offset := time.Unix(0, int64(min(*r.seek, 1<<63-1))).Sub(is.start)
		offset = min(max(offset, 0), is.end.Sub(is.start))
		if err := s.call(ctx, "Seek", &playerv1.SeekRequest{Offset: durationpb.New(offset)}); err != nil {
			return err
		}
	}
	if speed := min(max(r.speed, minSpeed), maxSpeed); float32(speed) != float32(is.speed) {
		if err := s.call(ctx, "SetSpeed", &playerv1.SetSpeedRequest{Speed: speed}); err != nil {
			return err
		}
	}
	switch is, _ := s.view.player.place(time.Now()); {
	case r.play && is.status != playing:
		return s.call(ctx, "Play", &playerv1.PlayRequest{})
	case !r.play && is.status == playing:
		return s.call(ctx, "Pause", &playerv1.PauseRequest{})
	}
	return nil
}

// call calls a method of the player, in the client's name, and takes over its new state.
func (s *session) call(ctx context.Context, method string, request proto.Message) error {
	data, err := protojson.Marshal(request)
	if err != nil {
		return err
	}
	device := s.began.device
	result := s.gateway.config.Caller.Call(ctx, &calls.Call{Device: device, Method: playerService + method, Request: data,
		By: s.visitor})
	if result.Err != nil {
		return result.Err
	}
	var answer struct {
		State json.RawMessage `json:"state"`
	}
	var state playerv1.PlayerState
	if err := json.Unmarshal(result.Response, &answer); err != nil {
		return fmt.Errorf("playback control: the answer of %s: %w", device, err)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer.State, &state); err != nil {
		return fmt.Errorf("playback control: the answer of %s: %w", device, err)
	}
	s.view.player.set(device, &state)
	return nil
}
