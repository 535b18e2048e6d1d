package call

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/rtcbot"
	"github.com/waldo-robot/waldo/services/peer/slot"
)

const (
	// connectTimeout is how long a call may take to come up, its answer included.
	connectTimeout = 10 * time.Second
	// silence is how long media that flowed may stop.
	silence = 5 * time.Second
	// The pause before the next call doubles from minPause to maxPause. A call that has lasted for steady makes it short
	// again.
	minPause, maxPause, steady = time.Second, 30 * time.Second, 10 * time.Second
	// maxAnswer bounds the body of an answer, and maxReason what is shown of a refusal.
	maxAnswer, maxReason = 256 << 10, 200
)

// Slot takes what the robot sends.
type Slot interface {
	Open(who *peerv1.Publisher, take bool) (*slot.Publication, error)
	Video(*mediav1.VideoFrame) error
	Audio(*mediav1.AudioFrame)
}

// Config says whom to call. All but Log and Told is required.
type Config struct {
	URL *url.URL
	// Cameras is how many sections of video are offered.
	Cameras int
	// Sound says whether a section of audio is offered.
	Sound bool
	// Topic of the robot Robot, on Bus, is where the robot's data channel is; Sender is who it is there.
	Topic, Robot, Sender string
	Bus                  *bus.Conn
	Slot                 Slot
	Log                  *slog.Logger
	// Told is called with why there is no call at present, and with nothing when there is one. May be nil.
	Told func(why string)
}

// Caller calls one robot.
type Caller struct {
	config   Config
	api      *webrtc.API
	client   *http.Client
	patience time.Duration // connectTimeout; shorter in tests
}

// New returns a caller.
func New(c Config) (*Caller, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Told == nil {
		c.Told = func(string) {}
	}
	api, err := newAPI(c.Log)
	return &Caller{config: c, api: api, client: &http.Client{Transport: &http.Transport{}}, patience: connectTimeout}, err
}

// Run calls the robot, again and again, until ctx ends.
func (c *Caller) Run(ctx context.Context) {
	defer c.client.CloseIdleConnections()
	pause := minPause
	for ctx.Err() == nil {
		began := time.Now()
		err := c.call(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > connectTimeout+steady {
			pause = minPause
		}
		reason := access.RedactText(err.Error()) // there may be a secret in the address
		c.config.Log.Warn("no call to the robot", "host", c.config.URL.Host, "reason", reason, "again", pause)
		c.config.Told(fmt.Sprintf("no call to %s: %s", c.config.URL.Host, reason))
		select {
		case <-ctx.Done():
		case <-time.After(pause - rand.N(pause/4)): // several robots do not call at once
		}
		pause = min(2*pause, maxPause)
	}
}

// exchange sends an offer to the robot and returns its answer.
func (c *Caller) exchange(ctx context.Context, offer string) (answer string, err error) {
	body, err := json.Marshal(rtcbot.Description{SDP: offer, Type: rtcbot.Offer})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL.String(), bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return "", err
	case response.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the robot answers %s: %s: an RTCBot robot wants as many sections of video as it has "+
			"cameras, see `cameras`, and one of audio if it has a microphone, see `sound`", response.Status,
			strings.TrimSpace(string(text[:min(len(text), maxReason)])))
	case len(text) > maxAnswer:
		return "", fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return rtcbot.ParseDescription(text, rtcbot.Answer)
}
