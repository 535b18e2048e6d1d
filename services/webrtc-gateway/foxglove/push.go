package foxglove

import (
	"context"
	"time"
)

// pushChannels tells the client which channels there are, until ctx ends.
func (s *session) pushChannels(ctx context.Context) error {
	for first := true; ; first = false {
		list, changed := s.view.channels()
		if !s.tellChannels(ctx, list, first) {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// tellChannels tells what has changed; the first time also that there is nothing. Subscriptions to channels that are
// gone end.
func (s *session) tellChannels(ctx context.Context, list []*channel, first bool) bool {
	gone, come, orphans := s.changeChannels(list)
	for _, one := range orphans {
		s.drop(one)
	}
	if len(gone) > 0 && !s.outbox.answer(ctx, unadvertise(gone)) {
		return false
	}
	if len(come) == 0 && !first {
		return true
	}
	for _, m := range advertise(come) {
		if !s.outbox.answer(ctx, m) {
			return false
		}
	}
	return true
}

// changeChannels takes over a list. It returns the channels that are gone, the advertisements of those that have come,
// and the subscriptions that have lost their channel.
func (s *session) changeChannels(list []*channel) (gone []uint32, come [][]byte, orphans []*subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channels == nil { // the session has ended
		return nil, nil, nil
	}
	before := s.channels
	s.channels = make(map[uint32]*channel, len(list))
	for _, c := range list {
		s.channels[c.id] = c
		if before[c.id] == nil {
			come = append(come, c.advertisement)
		}
	}
	for id := range before {
		if s.channels[id] != nil {
			continue
		}
		gone = append(gone, id)
		if one := s.byChannel[id]; one != nil {
			s.forgetLocked(one)
			orphans = append(orphans, one)
		}
	}
	return gone, come, orphans
}

// pushParameters tells the client of the parameters that it wants to be told of, when they change, until ctx ends.
func (s *session) pushParameters(ctx context.Context) error {
	for {
		_, changed := s.view.directory.List()
		if news := s.newParameters(); len(news) > 0 && !s.outbox.answer(ctx, parameterValues(news, "")) {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (s *session) newParameters() []parameter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parameters.empty() {
		return nil
	}
	return s.parameters.news(s.gateway.parameters(s.view))
}

// pushPlace tells the client where the player is, until ctx ends, or there is another player than at the beginning:
// what the session can do was said then.
func (s *session) pushPlace(ctx context.Context) error {
	var clock <-chan time.Time
	if s.began.device != "" {
		tick := time.NewTicker(clockEvery)
		defer tick.Stop()
		clock = tick.C
	}
	for {
		now, changed := s.view.player.place(time.Now())
		if now.device != "" && !now.sameRecording(s.began) { // one that is gone has crashed, perhaps, and comes back
			return closing{statusRestart, "the robot's player has come, or plays another recording: connect again"}
		}
		if now.device != "" && !s.tellPlace(ctx, now) {
			return ctx.Err()
		}
		for ticking := true; ticking; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
				ticking = false
			case at := <-clock:
				now, _ := s.view.player.place(at)
				if now.status == playing && !s.outbox.answer(ctx, timeMessage(stamp(now.at))) {
					return ctx.Err()
				}
			}
		}
	}
}

// tellPlace tells of a state of the player that has come.
func (s *session) tellPlace(ctx context.Context, now place) bool {
	if s.mayPlay && !s.outbox.answer(ctx, s.stateOf(now, "").encode()) {
		return false
	}
	return s.outbox.answer(ctx, timeMessage(stamp(now.at)))
}
