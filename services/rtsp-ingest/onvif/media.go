package onvif

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Profile is a stream that the camera offers, and how it is moved.
type Profile struct {
	Token         string // names it to the camera
	Name          string // for people
	Encoding      string // "H264", "H265", "JPEG"; as the camera writes it; "" if it does not say
	Width, Height int    // pixels; 0 if unknown
	FPS           float64
	Group         int  // pictures from one key frame to the next; 0 if unknown
	PanTilt, Zoom bool // how the picture can be moved
	media2        bool // it was told by the newer media service
}

// Profiles asks for the streams. Cameras list the main one first.
func (c *Client) Profiles(ctx context.Context) ([]Profile, error) {
	services, err := c.Services(ctx)
	if err != nil {
		return nil, err
	}
	// The newer service knows H.265; not all cameras that have it answer by it.
	if target := services[nsMedia2]; target != "" {
		answer, err := c.call(ctx, target, operation{service: nsMedia2, name: "GetProfiles", body: "<Type>All</Type>"})
		if found := readProfiles(answer, true); len(found) > 0 {
			return found, nil
		}
		if services[nsMedia] == "" {
			return nil, cmp.Or(err, c.noProfiles())
		}
	}
	target := services[nsMedia]
	if target == "" {
		return nil, feed.Failf(feed.Unsupported, c.config.Key, "the camera offers no streams by ONVIF")
	}
	answer, err := c.call(ctx, target, operation{service: nsMedia, name: "GetProfiles"})
	if err != nil {
		return nil, err
	}
	if found := readProfiles(answer, false); len(found) > 0 {
		return found, nil
	}
	return nil, c.noProfiles()
}

func (c *Client) noProfiles() error {
	return feed.Failf(feed.NotFound, c.config.Key, "the camera has no profile: make one in its web page")
}

func readProfiles(answer *node, media2 bool) (found []Profile) {
	for _, n := range answer.all("Profiles", maxProfiles) {
		p := Profile{Token: n.attr("token"), Name: shown(n.value("Name")), media2: media2}
		if p.Token == "" || len(p.Token) > maxToken {
			continue
		}
		video, ptz := n.find("VideoEncoderConfiguration"), n.find("PTZConfiguration")
		if media2 {
			video, ptz = n.find("Configurations", "VideoEncoder"), n.find("Configurations", "PTZ")
		}
		p.PanTilt, p.Zoom = axes(ptz)
		p.Encoding = shown(video.value("Encoding"))
		p.Width, p.Height = number(video.value("Resolution", "Width")), number(video.value("Resolution", "Height"))
		p.FPS, _ = strconv.ParseFloat(video.value("RateControl", "FrameRateLimit"), 64)
		if !(p.FPS > 0 && p.FPS < 1000) {
			p.FPS = 0
		}
		p.Group = number(video.value("GovLength") + video.attr("GovLength"))
		found = append(found, p)
	}
	return found
}

// axes are what a configuration says that can be moved with a velocity. One that says nothing moves everything.
func axes(ptz *node) (panTilt, zoom bool) {
	panTilt = ptz.value("DefaultContinuousPanTiltVelocitySpace") != ""
	zoom = ptz.value("DefaultContinuousZoomVelocitySpace") != ""
	if !panTilt && !zoom && ptz != nil {
		return true, true
	}
	return panTilt, zoom
}

// number reads a positive number that is not absurd, else 0.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1<<16 {
		return 0
	}
	return n
}

// media returns the media service that told of a profile.
func (c *Client) media(ctx context.Context, p Profile) (target, namespace string, err error) {
	services, err := c.Services(ctx)
	namespace = nsMedia
	if p.media2 {
		namespace = nsMedia2
	}
	return services[namespace], namespace, err
}

// Stream asks where a profile is to be had, by RTSP over one TCP connection or over UDP.
func (c *Client) Stream(ctx context.Context, p Profile) (address.Address, error) {
	const setup = "<StreamSetup><t:Stream>RTP-Unicast</t:Stream><t:Transport><t:Protocol>RTSP</t:Protocol></t:Transport>" +
		"</StreamSetup>%s"
	const setup2 = "<Protocol>RTSP</Protocol>%s"
	return c.uri(ctx, p, "GetStreamUri", map[bool]string{false: setup, true: setup2}[p.media2], "rtsp", "rtsps")
}

// Snapshot asks where single pictures of a profile are to be had, as JPEG over HTTP.
func (c *Client) Snapshot(ctx context.Context, p Profile) (address.Address, error) {
	return c.uri(ctx, p, "GetSnapshotUri", "%s", "http", "https")
}

func (c *Client) uri(ctx context.Context, p Profile, name, body string, schemes ...string) (address.Address, error) {
	target, namespace, err := c.media(ctx, p)
	if err != nil {
		return address.Address{}, err
	}
	answer, err := c.call(ctx, target, operation{service: namespace, name: name,
		body: fmt.Sprintf(body, profile(p.Token))})
	if err != nil {
		return address.Address{}, err
	}
	at, err := c.here(answer.value("Uri"))
	if err != nil || !slices.Contains(schemes, at.Scheme) {
		return address.Address{}, feed.Failf(feed.Unsupported, c.config.Key,
			"the camera's answer to %s holds no %s:// address", name, strings.Join(schemes, ":// or "))
	}
	return at, nil
}

// profile is the element that names a profile.
func profile(token string) string { return "<ProfileToken>" + escaped(token) + "</ProfileToken>" }

// maxAsked is how many profiles are asked for their address to find one.
const maxAsked = 16

// ProfileOf finds the profile that is to be had at a target, which is path and query; the first one if none is.
func (c *Client) ProfileOf(ctx context.Context, target string) (Profile, error) {
	found, err := c.Profiles(ctx)
	if err != nil {
		return Profile{}, err
	}
	for _, p := range found[:min(len(found), maxAsked)] {
		if at, err := c.Stream(ctx, p); err == nil && at.Target == target {
			return p, nil
		}
	}
	return found[0], ctx.Err()
}

// RequestKeyFrame asks for a key frame of a profile.
func (c *Client) RequestKeyFrame(ctx context.Context, p Profile) error {
	target, namespace, err := c.media(ctx, p)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, target, operation{service: namespace, name: "SetSynchronizationPoint", body: profile(p.Token)})
	return err
}
