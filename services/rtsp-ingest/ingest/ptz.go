package ingest

import (
	"context"
	"strconv"
	"sync"
	"time"

	ptzv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ptz/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/ptz"
)

// PTZ holds the keys of the section `ptz:`, which makes a camera that turns an actuator.
type PTZ struct {
	actuator.Config `yaml:",inline"`
	// ONVIF is the address of the device service.
	ONVIF string `yaml:"onvif" help:"address of the camera for ONVIF; default: port 80 of the host in url"`
}

// ptzLimit bounds a request that moves or stops the camera.
const ptzLimit = 2 * time.Second

// validatePTZ checks the section.
func (c *Config) validatePTZ() error {
	if c.PTZ == nil {
		return nil
	}
	if c.PTZ.ONVIF == "" && c.URL == "" {
		return robot.BadField("ptz.onvif", "is missing, and there is no url to take the host from: "+
			"write onvif: http://10.0.0.7/onvif/device_service")
	}
	if _, err := c.onvif("ptz.onvif", c.PTZ.ONVIF); err != nil {
		return err
	}
	return robot.Under("ptz", c.PTZ.Validate())
}

// OfRobot implements [device.OfRobot].
func (c *Config) OfRobot(r *robot.Robot, device string) error {
	if c.PTZ != nil {
		return robot.Under("ptz", c.PTZ.OfRobot(r, device))
	}
	if r.Drive.Text("device") == device && r.Drive.Text("see") != "" {
		return r.Drive.Locate(robot.BadField("see", "the device %q has no section ptz:, so it cannot check "+
			"what its driver sees: add one, for example ptz: {onvif: \"http://10.0.0.7\"}", device))
	}
	return nil
}

// movePTZ makes the device an actuator that moves the camera, if the configuration says so.
func movePTZ(kit *device.Kit, c Config) error {
	if c.PTZ == nil {
		return nil
	}
	camera, err := c.onvifClient("ptz.onvif", c.PTZ.ONVIF, ptzLimit)
	if err != nil {
		return err
	}
	deadman := c.PTZ.Deadman
	if deadman == 0 {
		deadman = control.DefaultDeadman
	}
	mover := ptz.New(ptz.Config{Camera: camera, Deadman: deadman, Log: kit.Log, Changed: func(s ptz.State) {
		kit.SetAttributes(ptzAttributes(s))
	}})
	a, err := actuator.New(kit, c.PTZ.Config, mover, ptz.Neutral)
	if err != nil {
		return err
	}
	ptzv1.RegisterPtzServiceServer(kit, &ptz.Service{Mover: mover, Arbiter: a, FullScale: c.PTZ.FullScale})
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(kit.Stopping(), cancel)
	var moving sync.WaitGroup
	moving.Go(func() { mover.Run(ctx, a) })
	kit.OnStop(func() {
		cancel()
		moving.Wait()
		camera.Close()
	})
	return nil
}

// ptzAttributes describe the movement for people, beside the pictures.
func ptzAttributes(s ptz.State) map[string]string {
	attributes := map[string]string{"ptz": "ready", "ptz_stops_within": s.StopsWithin.Round(time.Millisecond).String(),
		"ptz_reports_motion": strconv.FormatBool(s.ReportsMotion)}
	if !s.Ready {
		attributes["ptz"] = "away"
		if s.Reason != nil {
			attributes["ptz"] += ": " + s.Reason.Error()
		}
	}
	return attributes
}
