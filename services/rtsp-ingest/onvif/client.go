package onvif

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/digest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// DefaultTarget is the path of the device service of nearly every camera.
const DefaultTarget = "/onvif/device_service"

const (
	maxProfiles = 64
	maxServices = 64
	maxToken    = 256 // bytes; 64 are allowed
)

// Config says which camera it is.
type Config struct {
	Address     address.Address // of the device service: http or https; DefaultTarget if it has no path
	Fingerprint string          // as in package dial
	LegacyTLS   bool            // as in package dial
	Key         string          // of robot.yaml, that has the address; url if empty
	Assumed     bool            // as in package dial
	Limit       time.Duration   // of a call, its logins included; 5 s if 0
}

// Client talks to one camera. See the package comment.
type Client struct {
	config Config
	login  *digest.Login
	http   http.Client

	mu       sync.Mutex
	offset   time.Duration     // how far the camera's clock is ahead
	asked    bool              // the camera's clock was asked for
	services map[string]string // path and query by namespace; nil until they were asked for
}

// New returns a client. It connects when it is first called.
func New(c Config) *Client {
	if c.Limit <= 0 {
		c.Limit = 5 * time.Second
	}
	if c.Address.Target == "" || c.Address.Target == "/" {
		c.Address.Target = DefaultTarget
	}
	return &Client{
		config: c, login: digest.New(c.Address.User, c.Address.Password),
		http: http.Client{
			Transport:     newTransport(c),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close ends the connections that wait for the next call.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Now is the time on the camera's clock, or ours if it could not be asked for.
func (c *Client) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

// Time asks the camera for its clock, and keeps how far it is off: as a duration by which it is ahead. It has whole
// seconds.
func (c *Client) Time(ctx context.Context) (time.Duration, error) {
	o := operation{service: nsDevice, name: "GetSystemDateAndTime", open: true}
	begin := time.Now()
	answer, err := c.call(ctx, c.config.Address.Target, o)
	if feed.ReasonOf(err) == feed.Refused && c.config.Address.User != "" {
		o.open = false // some do not tell it to strangers
		begin = time.Now()
		answer, err = c.ask(ctx, c.config.Address.Target, o)
	}
	if err != nil {
		return 0, err
	}
	now, ok := readTime(answer)
	if !ok {
		return 0, feed.Failf(feed.Unsupported, c.config.Key, "the camera does not tell its time: set its clock")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.asked = now.Sub(begin.Add(time.Since(begin)/2)), true
	return c.offset, nil
}

// readTime reads the time of day in UTC, or, if the camera tells only that, the local one as if it were.
func readTime(answer *node) (time.Time, bool) {
	n := answer.find("UTCDateTime")
	if n == nil {
		n = answer.find("LocalDateTime")
	}
	var parts [6]int
	for i, path := range [][]string{{"Date", "Year"}, {"Date", "Month"}, {"Date", "Day"}, {"Time", "Hour"},
		{"Time", "Minute"}, {"Time", "Second"}} {
		value, err := strconv.Atoi(n.value(path...))
		if err != nil || value < 0 || value > 9999 {
			return time.Time{}, false
		}
		parts[i] = value
	}
	at := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], 0, time.UTC)
	return at, parts[0] >= 1970 && parts[0] < 2200
}

// adjust asks for the camera's clock after a refusal, and tells whether another try makes sense.
func (c *Client) adjust(ctx context.Context) bool {
	c.mu.Lock()
	before := c.offset
	c.mu.Unlock()
	now, err := c.Time(ctx)
	return err == nil && (now-before).Abs() > 2*time.Second
}

// synchronize asks for the camera's clock, once. A camera that does not tell it may have the same as we.
func (c *Client) synchronize(ctx context.Context) error {
	c.mu.Lock()
	asked := c.asked
	c.mu.Unlock()
	if asked || c.config.Address.User == "" {
		return nil
	}
	_, err := c.Time(ctx)
	if reason := feed.ReasonOf(err); err != nil && reason != feed.Refused && reason != feed.Unsupported {
		return err
	}
	return nil
}

// Services asks for the services that the camera has, by namespace.
func (c *Client) Services(ctx context.Context) (map[string]string, error) {
	c.mu.Lock()
	known := c.services
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if err := c.synchronize(ctx); err != nil {
		return nil, err
	}
	found, err := c.listed(ctx)
	if found[nsMedia] == "" && found[nsMedia2] == "" && feed.ReasonOf(err) != feed.Refused {
		found, err = c.capable(ctx)
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.services = found
	return found, nil
}

// listed asks as newer cameras want it.
func (c *Client) listed(ctx context.Context) (map[string]string, error) {
	answer, err := c.call(ctx, c.config.Address.Target, operation{service: nsDevice, name: "GetServices",
		body: "<IncludeCapability>false</IncludeCapability>"})
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, s := range answer.all("Service", maxServices) {
		if at, err := c.here(s.value("XAddr")); err == nil {
			found[s.value("Namespace")] = at.Target
		}
	}
	return found, nil
}

// capable asks as older cameras want it.
func (c *Client) capable(ctx context.Context) (map[string]string, error) {
	answer, err := c.call(ctx, c.config.Address.Target, operation{service: nsDevice, name: "GetCapabilities",
		body: "<Category>All</Category>"})
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for name, namespace := range map[string]string{"Media": nsMedia, "PTZ": nsPTZ, "Media2": nsMedia2} {
		if at, err := c.here(answer.value(name, "XAddr")); err == nil {
			found[namespace] = at.Target
		}
	}
	return found, nil
}

// errElsewhere says that a URL by the camera cannot be used.
var errElsewhere = errors.New("the camera names a URL that cannot be used")

// here makes a URL by the camera one that can be reached: with the host and the login that we use. A service has our
// port too.
func (c *Client) here(raw string) (address.Address, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	scheme = strings.ToLower(scheme)
	if !ok {
		return address.Address{}, errElsewhere
	}
	end := strings.IndexAny(rest+"/", "/?")
	authority, target := rest[:end], rest[end:]
	ours := c.config.Address
	at, err := address.Parse(scheme+"://camera"+target, "", "")
	if err != nil {
		return address.Address{}, errElsewhere
	}
	if at.Scheme == "http" || at.Scheme == "https" {
		at.Scheme, at.Port = ours.Scheme, ours.Port
	} else if port, err := strconv.ParseUint(authority[strings.LastIndexByte(authority, ':')+1:], 10, 16); err == nil &&
		port > 0 && strings.Contains(authority, ":") {
		at.Port = uint16(port)
	}
	at.Host, at.User, at.Password = ours.Host, ours.User, ours.Password
	return at, nil
}

// Information is what a camera says of itself. It is printable.
type Information struct{ Maker, Model, Firmware string }

// Information asks the camera what it is.
func (c *Client) Information(ctx context.Context) (Information, error) {
	if err := c.synchronize(ctx); err != nil {
		return Information{}, err
	}
	answer, err := c.call(ctx, c.config.Address.Target, operation{service: nsDevice, name: "GetDeviceInformation"})
	return Information{
		shown(answer.value("Manufacturer")), shown(answer.value("Model")), shown(answer.value("FirmwareVersion")),
	}, err
}

// shown is a text by a camera as people may see it.
func shown(s string) string {
	s = text.Printable(strings.ToValidUTF8(s[:min(len(s), maxShown)], ""))
	return strings.ToValidUTF8(s[:min(len(s), maxShown)], "")
}
