package actuator

import (
	"fmt"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
)

// describe returns the state as a message of the API. It needs mu.
func (a *Actuator) describe(now control.Clock) *controlv1.ControlState {
	s := a.arbiter.State()
	state := &controlv1.ControlState{
		Epoch: a.kit.Epoch(), Clock: durationpb.New(
			now), Phase: phases[s.Phase], Cause: causes[s.Cause], Holder: s.Holder, SafeJson: a.safeJSON,
		Sight: a.watcher.describe(a.arbiter, now),
	}
	if s.Holder != "" {
		state.HolderSince = timestamppb.New(a.since)
	}
	if e := a.eStop; e != nil {
		state.EStop = &controlv1.EStop{By: e.By, Reason: e.Reason, PressTime: timestamppb.New(e.Time),
			Persisted: e.persisted, Id: e.ID}
	}
	return state
}

// obstacles is who would lose the lease by a restart.
func (a *Actuator) obstacles() []device.Obstacle {
	holder := a.State().GetHolder()
	if holder == "" {
		return nil
	}
	return []device.Obstacle{{Kind: devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_LEASE,
		Text: fmt.Sprintf("the lease is held by %q", holder)}}
}

var phases = map[control.Phase]controlv1.ControlPhase{
	control.PhaseFree:     controlv1.ControlPhase_CONTROL_PHASE_FREE,
	control.PhaseSafe:     controlv1.ControlPhase_CONTROL_PHASE_SAFE,
	control.PhaseDriving:  controlv1.ControlPhase_CONTROL_PHASE_DRIVING,
	control.PhaseEStopped: controlv1.ControlPhase_CONTROL_PHASE_E_STOPPED,
}

var causes = map[control.Cause]controlv1.SafeCause{
	control.CauseStart:    controlv1.SafeCause_SAFE_CAUSE_START,
	control.CauseDeadman:  controlv1.SafeCause_SAFE_CAUSE_DEADMAN,
	control.CauseLapsed:   controlv1.SafeCause_SAFE_CAUSE_LEASE_LAPSED,
	control.CauseReleased: controlv1.SafeCause_SAFE_CAUSE_LEASE_RELEASED,
	control.CauseTaken:    controlv1.SafeCause_SAFE_CAUSE_LEASE_TAKEN,
	control.CauseEStop:    controlv1.SafeCause_SAFE_CAUSE_E_STOP,
	control.CauseAway:     controlv1.SafeCause_SAFE_CAUSE_AWAY,
	control.CauseBlind:    controlv1.SafeCause_SAFE_CAUSE_BLIND,
}
