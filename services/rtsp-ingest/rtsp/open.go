package rtsp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const maxHops = 5 // redirects

// patience is how long to wait before adopting a session once more: a camera hands it over only when it has noticed
// that the old connection is gone.
var patience = []time.Duration{50 * time.Millisecond, 150 * time.Millisecond, 400 * time.Millisecond}

// Open connects to a camera, sets up its pictures and its sound, and starts them. What goes wrong is repaired where
// it can be, with another connection if need be: there is never more than one at a time.
func Open(ctx context.Context, c Config) (*Conn, error) {
	if c.Address.Scheme != "rtsp" && c.Address.Scheme != "rtsps" {
		return nil, feed.Failf(feed.Misspelled, "url", "url: it does not begin with rtsp:// or rtsps://")
	}
	if err := dial.CheckFingerprint(c.Fingerprint); err != nil {
		return nil, err
	}
	c.Limits = c.Limits.filled()
	if c.Memory == nil {
		c.Memory = &Memory{}
	}
	asked := overTCP
	if c.UDP {
		asked = overUDP
	}
	a := attempt{Config: c, over: c.Memory.transport(asked), place: newPlace(c.Directory, ofStream, c.Address)}
	a.adopt = a.place.old(time.Now())
	repairs := repairs{waits: patience}
	for {
		conn, err := a.open(ctx)
		if err == nil {
			c.Memory.worked(a.over)
			return conn, nil
		}
		if err := repairs.make(ctx, &a, err); err != nil {
			return nil, sentOn(c.Address, a.Address, err)
		}
	}
}

// sentOn says of an error that it came from where the camera in the URL had sent us.
func sentOn(from, to address.Address, err error) error {
	e, ok := errors.AsType[*feed.Error](err)
	if !ok || strings.EqualFold(to.HostPort(), from.HostPort()) {
		return err
	}
	return &feed.Error{Reason: e.Reason, Key: e.Key, Err: err,
		Text: e.Text + " (the camera in url sent us on to " + to.HostPort() + ")"}
}

// repairs counts what was done about errors of attempts. Each is made a bounded number of times.
type repairs struct {
	hops     int
	switched bool
	greeted  bool
	waits    []time.Duration
}

// make changes the next attempt so that it may succeed, or returns the error to tell.
func (r *repairs) make(ctx context.Context, a *attempt, err error) error {
	to, redirected := errors.AsType[*redirect](err)
	_, refused := errors.AsType[*noTransport](err)
	_, noSound := errors.AsType[*noSound](err)
	_, unheard := errors.AsType[*unheard](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case redirected && r.hops == maxHops:
		return feed.Failf(feed.Unsupported, "url", "url: the camera sends us on more than %d times: "+
			"ask its web page for the right address", maxHops)
	case redirected:
		r.hops++
		next, err := a.Address.Redirect(to.location)
		if err == nil {
			a.Address = next
		}
		return err
	case refused && !r.switched:
		r.switched, a.over = true, a.over.other()
	case unheard && !r.greeted:
		r.greeted, a.greets = true, true
	case noSound && !a.Silent:
		a.Silent, a.left = true, append(a.left, "audio: "+err.Error())
	case a.adopt != "" && canAdoptionFail(err):
		a.adopt, a.stale = "", a.adopt
	case a.stale != "" && len(r.waits) > 0 && feed.ReasonOf(err) == feed.Full:
		wait := r.waits[0]
		a.adopt, a.stale, r.waits = a.stale, "", r.waits[1:]
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		return ctx.Err()
	default:
		return err
	}
	return nil
}

func (l lower) other() lower {
	if l == overTCP {
		return overUDP
	}
	return overTCP
}

// canAdoptionFail tells whether an error may be that of naming an old session.
func canAdoptionFail(err error) bool {
	switch feed.ReasonOf(err) {
	case feed.Away, feed.Full, feed.Unsupported, feed.NotFound:
		return true
	}
	return false
}

// redirect is an answer that names another address.
type redirect struct{ location string }

func (*redirect) Error() string { return "the camera sends us on" }

// noTransport says that the camera does not send over what was asked for.
type noTransport struct{ error }

// noSound says that the sound is in the way of the pictures.
type noSound struct{ error }

func (e *noSound) Unwrap() error { return e.error }

// attempt is one way to open a connection.
type attempt struct {
	Config
	over  lower
	place place
	adopt string   // the id of a session to adopt, "" for none
	stale string   // the id of a session that could not be adopted
	left  []string // what was left out before

	greets bool // OPTIONS comes first, though nothing of it matters here
}

// conn is a Conn that is not connected.
func (a attempt) conn() *Conn {
	return &Conn{
		attempt: a, timeout: usualTimeout, first: make(chan struct{}),
		attributes: map[string]string{}, byChannel: map[byte]*track{},
	}
}

func (a attempt) open(ctx context.Context) (*Conn, error) {
	c := a.conn()
	client, err := connect(ctx, a.Config, c.trusted, c.receive)
	if err != nil {
		return nil, err
	}
	c.client = client
	if err := c.start(ctx); err != nil {
		c.finish()
		return nil, err
	}
	return c, nil
}

// start asks for everything until packets flow.
func (c *Conn) start(ctx context.Context) error {
	c.base = c.Address
	r, err := c.describe(ctx)
	if err != nil {
		return err
	}
	c.base, c.described = base(c.Address, r.fields), r.fields.get("Session")
	c.attributes["server"] = shown(r.fields.get("Server"))
	d := parseSDP(r.body)
	o := d.choose()
	c.left = append(c.left, o.left...)
	if o.video == nil {
		return noPictures(o)
	}
	if err := c.setupFirst(ctx, append([]*stream{o.video}, o.spare...)); err != nil {
		return err
	}
	if o.sound != nil && !c.Silent {
		if err := c.setup(ctx, o.sound); err != nil {
			return c.withoutSound(ctx, err)
		}
	}
	if err := c.play(ctx, targets(c.Address, c.base, d.control)); err != nil {
		return c.withoutSound(ctx, err)
	}
	return c.await(ctx)
}

// describe asks for the description.
func (c *Conn) describe(ctx context.Context) (*response, error) {
	if c.greets {
		ctx, cancel := context.WithTimeout(ctx, c.Limits.Connect)
		_, _ = c.client.ask(ctx, "OPTIONS", c.Address.URL(), nil) // what it says does not matter
		cancel()
	}
	r, err := c.askPlace(ctx, "DESCRIBE", []string{c.Address.URL()}, fields{{"Accept", "application/sdp"}})
	if err != nil && !c.greets && feed.ReasonOf(err) == feed.Away && (statusOf(err) != 0 || c.client.over()) {
		return nil, &unheard{err}
	}
	return r, err
}

// unheard says that the camera does not take DESCRIBE as the first request.
type unheard struct{ error }

func (e *unheard) Unwrap() error { return e.error }

// setupFirst sets up the first of several streams that the camera lets us have.
func (c *Conn) setupFirst(ctx context.Context, all []*stream) (err error) {
	for i, s := range all {
		err = c.setup(ctx, s)
		reason := feed.ReasonOf(err)
		_, transport := errors.AsType[*noTransport](err)
		_, redirected := errors.AsType[*redirect](err)
		last := i == len(all)-1 || ctx.Err() != nil || c.adopt != ""
		if err == nil || last || transport || redirected || reason != feed.Away && reason != feed.NotFound {
			return err
		}
		c.left = append(c.left, "video: "+err.Error())
		c.forget()
	}
	return err
}

// forget drops the tracks that could not be set up.
func (c *Conn) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tracks {
		t.close()
	}
	c.tracks = nil
}

// withoutSound marks an error that may go away without the sound.
func (c *Conn) withoutSound(ctx context.Context, err error) error {
	_, transport := errors.AsType[*noTransport](err)
	if transport || ctx.Err() != nil || len(c.tracks) < 2 || feed.ReasonOf(err) == feed.Refused {
		return err
	}
	return &noSound{err}
}

// noPictures says what a camera offers instead.
func noPictures(o offer) error {
	offered := o.left
	if o.sound != nil {
		offered = append(offered, "audio ("+o.sound.config.Track.MediaType+")")
	}
	if len(offered) == 0 {
		return feed.Failf(feed.Unsupported, "url", "url: the camera offers nothing at this address: check the path, "+
			"or switch the stream on in the camera")
	}
	remedy := "set it to H.264, or use its second stream"
	if !slices.ContainsFunc(offered, func(one string) bool { return strings.HasPrefix(one, "video") }) {
		remedy = "check the path, or switch its video on"
	}
	return feed.Failf(feed.Unsupported, "url", "url: the camera offers no pictures that can be used, only %.200s: %s",
		strings.Join(offered, ", "), remedy)
}

// setup sets a stream up.
func (c *Conn) setup(ctx context.Context, s *stream, more ...field) error {
	t, err := c.newTrack(s)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.tracks = append(c.tracks, t)
	c.mu.Unlock()
	if c.adopt != "" && !c.client.hasSession() {
		more = append(more, field{"Session", c.adopt})
	}
	r, err := c.setupTrack(ctx, t, s, more)
	if err != nil {
		return err
	}
	id, timeout := parseSession(r.fields.get("Session"))
	if id == "" && !c.client.hasSession() {
		id, timeout = parseSession(c.described)
	}
	c.client.setSession(id)
	if id != "" {
		c.timeout = timeout
		c.place.hold(id, timeout)
	}
	if c.adopt != "" && id == c.adopt {
		c.attributes["session"] = "adopted"
	}
	return c.connected(t, parseTransport(r.fields.get("Transport")))
}

// setupTrack asks for a track: plain, and encrypted if that is refused. Over UDP, plain packets would be outside of
// TLS.
func (c *Conn) setupTrack(ctx context.Context, t *track, s *stream, more fields) (*response, error) {
	urls := targets(c.Address, c.base, s.control)
	t.urls = urls
	if t.udp == nil || !s.secure {
		r, err := c.askPlace(ctx, "SETUP", urls, append(fields{{"Transport", t.asks()}}, more...))
		if _, refused := errors.AsType[*noTransport](err); !refused || !s.secure {
			return r, err
		}
	}
	secrets, key, err := newSecrets(t.own, urls[0])
	if err != nil {
		return nil, err
	}
	t.secrets = secrets
	r, err := c.askPlace(ctx, "SETUP", urls, append(fields{{"Transport", t.asks()}, key}, more...))
	if err != nil {
		return nil, err
	}
	if err := secrets.accept(r, s.key); err != nil {
		return nil, feed.Failf(feed.Unsupported, "url", "url: %w: switch SRTP off in the camera", err)
	}
	c.attributes["encryption"] = "SRTP"
	return r, nil
}

// askPlace asks for what needs a place at the camera. If there is none, an old session of ours that cannot be adopted
// any more may hold it; some cameras end it when they are told to.
func (c *Conn) askPlace(ctx context.Context, method string, urls []string, extra fields) (*response, error) {
	r, err := c.ask(ctx, method, urls, extra)
	old := c.stale
	if method == "DESCRIBE" && old == "" {
		old = c.adopt // nothing can be adopted without a description
	}
	if err == nil || feed.ReasonOf(err) != feed.Full || old == "" {
		return r, err
	}
	c.stale, c.adopt = "", ""
	end, failed := c.client.ask(ctx, "TEARDOWN", c.base.URL(), fields{{"Session", old}})
	if failed != nil || end.status >= 300 {
		return r, err
	}
	return c.ask(ctx, method, urls, extra)
}

// await waits for the first packet over UDP: a firewall may be in the way.
func (c *Conn) await(ctx context.Context) error {
	if c.over != overUDP || !slices.ContainsFunc(c.tracks, func(t *track) bool { return t.udp != nil }) {
		return nil
	}
	limit := time.NewTimer(c.Limits.UDP)
	defer limit.Stop()
	select {
	case <-c.first:
		return nil
	case <-limit.C:
		return &noTransport{feed.Failf(feed.Away, "url", "the camera sends nothing over UDP: "+
			"check the firewall, or remove transport: udp")}
	case <-c.client.done:
		return c.client.lost("PLAY", c.client.err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask asks the same of several URLs until one is known to the camera.
func (c *Conn) ask(ctx context.Context, method string, urls []string, extra fields) (r *response, err error) {
	for _, u := range urls {
		if r, err = c.client.ask(ctx, method, u, extra); err != nil {
			return nil, err
		}
		c.notePublic(r)
		if !slices.Contains(unknownURL, r.status) {
			break
		}
	}
	if err = statusError(method, r); err == nil {
		return r, nil
	}
	if e, ok := errors.AsType[*feed.Error](err); ok && r.status != 461 {
		err = &refusal{e, r.status}
	}
	return r, err
}

// unknownURL is what cameras answer to a URL that they do not know.
var unknownURL = []int{400, 404, 410, 451, 500}

// statusError says what a status means to people, nil for one that is good.
func statusError(method string, r *response) error {
	switch s := r.status; {
	case s < 300:
		return nil
	case s < 400:
		return &redirect{r.fields.get("Location")}
	case s == 403 || s == 407:
		return feed.Failf(feed.Refused, "user", "user: the camera forbids us to watch (%d to %s): "+
			"check what this user may do", s, method)
	case s == 404 || s == 410:
		return feed.Failf(feed.NotFound, "url", "url: the camera has no such stream (%d to %s): check the path", s, method)
	case s == 453 || s == 503:
		return feed.Failf(feed.Full, "url", "the camera has no room for another viewer (%d to %s): close other viewers, "+
			"or wait a minute while it forgets dead ones", s, method)
	case s == 461:
		return &noTransport{feed.Failf(feed.Unsupported, "url",
			"url: the camera sends neither over TCP nor over UDP (461 to %s): "+
				"allow RTP over TCP in its settings, or use its second stream", method)}
	case s == 551: // to what we require
		return feed.Failf(feed.Unsupported, "", "it has no back channel (551 to %s): look for two-way audio in its settings",
			method)
	case s == 454 || s == 455 || s == 459:
		return feed.Failf(feed.Away, "url", "the camera has lost our session (%d to %s): this passes", s, method)
	}
	return feed.Failf(feed.Away, "url", "the camera answers %d to %s: check url, or restart the camera", r.status, method)
}

// Unwrap makes the reason of the error below visible.
func (e *noTransport) Unwrap() error { return e.error }
