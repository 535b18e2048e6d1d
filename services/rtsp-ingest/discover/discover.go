// Package discover lists the cameras on the network with their streams: what `waldo discover` prints, by
// `waldo-rtsp-ingest --discover`.
//
// What cameras say is printed so that it cannot act on a terminal, and URLs have no login in them. Nothing runs once
// [Run] has returned.
package discover

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/onvif"
)

// Flag is the first argument of the program when it has to discover.
const Flag = "--discover"

const (
	maxHosts    = 64
	maxWait     = time.Minute
	atOnce      = 8               // cameras that are asked at a time
	answerLimit = 5 * time.Second // of one question to a camera
)

// Camera is a camera as JSON shows it.
type Camera struct {
	Address  string   `json:"address"`
	Maker    string   `json:"maker,omitempty"`
	Model    string   `json:"model,omitempty"`
	Name     string   `json:"name,omitempty"`
	Location string   `json:"location,omitempty"`
	ONVIF    string   `json:"onvif"` // its device service
	Moves    bool     `json:"moves"` // it can be turned or zoomed
	Streams  []Stream `json:"streams"`
	// NeedsLogin says that the streams are told only to users.
	NeedsLogin bool   `json:"needs_login"`
	Problem    string `json:"problem,omitempty"` // why there are no streams
}

// Stream is one stream of a camera.
type Stream struct {
	Name     string  `json:"name"`
	URL      string  `json:"url"`
	Snapshot string  `json:"snapshot,omitempty"`
	Codec    string  `json:"codec"`
	Width    int     `json:"width"`
	Height   int     `json:"height"`
	FPS      float64 `json:"fps"`
}

// options are what is asked for.
type options struct {
	json     bool
	user     string
	password address.Secret
	hosts    []string
	search   onvif.Search
}

func parse(args []string, environ func(string) string, out io.Writer) (options, error) {
	o := options{password: address.Secret(environ("WALDO_PASSWORD"))}
	f := flag.NewFlagSet("waldo-rtsp-ingest "+Flag, flag.ContinueOnError)
	f.SetOutput(out)
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.user, "user", environ("WALDO_USER"), "who asks for streams; the password is in WALDO_PASSWORD")
	f.DurationVar(&o.search.Wait, "wait", 3*time.Second, "how long answers are waited for")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.hosts = f.Args()
	switch {
	case o.search.Wait < 100*time.Millisecond || o.search.Wait > maxWait:
		return o, fmt.Errorf("--wait: %v is out of range: use 100ms to %v", o.search.Wait, maxWait)
	case len(o.hosts) > maxHosts:
		return o, fmt.Errorf("%d cameras are too many: name %d at most", len(o.hosts), maxHosts)
	case o.password != "" && o.user == "":
		return o, errors.New("--user: WALDO_PASSWORD is set, but nobody is named: add --user")
	}
	return o, nil
}

// Run finds cameras and prints them. Args are what follows [Flag].
func Run(ctx context.Context, args []string, environ func(string) string, out, notes io.Writer) error {
	o, err := parse(args, environ, notes)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	cameras, err := o.find(ctx)
	if err != nil {
		return err
	}
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false) // & is usual in URLs
		return e.Encode(cameras)
	}
	if err := table(out, cameras); err != nil {
		return err
	}
	return o.remark(notes, cameras)
}

// find returns the cameras, each with what it tells.
func (o options) find(ctx context.Context) ([]Camera, error) {
	found, err := o.addresses(ctx)
	if err != nil {
		return nil, err
	}
	cameras := make([]Camera, len(found))
	room := make(chan struct{}, atOnce)
	var asking sync.WaitGroup
	for i, f := range found {
		asking.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			cameras[i] = o.ask(ctx, f)
		})
	}
	asking.Wait()
	return cameras, ctx.Err()
}

// addresses are those that were given, or those that answer.
func (o options) addresses(ctx context.Context) ([]onvif.Found, error) {
	if len(o.hosts) == 0 {
		return onvif.Discover(ctx, o.search)
	}
	var found []onvif.Found
	for _, host := range o.hosts {
		if !strings.Contains(host, "://") {
			host = "http://" + host
		}
		at, err := address.Parse(host, "", "")
		if err == nil && at.Scheme != "http" && at.Scheme != "https" {
			err = errors.New("ONVIF goes by http:// or https://")
		}
		if err == nil && (at.User != "" || at.Password != "") {
			err = errors.New("leave user and password out: use --user and WALDO_PASSWORD")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: write a camera as 10.0.0.7 or 10.0.0.7:8000", at, err)
		}
		found = append(found, onvif.Found{Address: at})
	}
	return found, nil
}

// ask asks one camera what it is and what it sends.
func (o options) ask(ctx context.Context, f onvif.Found) Camera {
	at := f.Address
	at.User, at.Password = o.user, o.password
	c := Camera{Address: at.Host, Model: f.Hardware, Name: f.Name, Location: f.Location, ONVIF: f.Address.String(),
		Streams: []Stream{}}
	client := onvif.New(onvif.Config{Address: at, Limit: answerLimit})
	defer client.Close()
	if i, err := client.Information(ctx); err == nil {
		c.Maker, c.Model = i.Maker, i.Model
	} else if feed.ReasonOf(err) == feed.Unreachable || feed.ReasonOf(err) == feed.Away {
		c.Problem = err.Error()
		return c
	}
	profiles, err := client.Profiles(ctx)
	for _, p := range profiles {
		c.Moves = c.Moves || p.PanTilt || p.Zoom
		var s Stream
		if s, err = stream(ctx, client, p); err != nil {
			break
		}
		c.Streams = append(c.Streams, s)
	}
	if err != nil {
		c.Problem, c.NeedsLogin = err.Error(), feed.ReasonOf(err) == feed.Refused
	}
	return c
}

func stream(ctx context.Context, client *onvif.Client, p onvif.Profile) (Stream, error) {
	at, err := client.Stream(ctx, p)
	if err != nil {
		return Stream{}, err
	}
	at.User, at.Password = "", ""
	s := Stream{Name: p.Name, URL: at.String(), Codec: p.Encoding, Width: p.Width, Height: p.Height, FPS: p.FPS}
	if picture, err := client.Snapshot(ctx, p); err == nil { // many have none
		picture.User, picture.Password = "", ""
		s.Snapshot = picture.String()
	}
	return s, nil
}

// table prints a line for each stream, and one for each camera that tells none.
func table(out io.Writer, cameras []Camera) error {
	if len(cameras) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ADDRESS\tMAKER\tMODEL\tSTREAM\tCODEC\tSIZE\tURL")
	for _, c := range cameras {
		who := c.Address + "\t" + dash(c.Maker) + "\t" + dash(c.Model)
		for _, s := range c.Streams {
			size := "-"
			if s.Width > 0 {
				size = strconv.Itoa(s.Width) + "x" + strconv.Itoa(s.Height)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", who, dash(s.Name), dash(s.Codec), size, s.URL)
		}
		if len(c.Streams) == 0 {
			fmt.Fprintf(w, "%s\t-\t-\t-\t-\n", who)
		}
	}
	return w.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// remark says what could not be found out.
func (o options) remark(to io.Writer, cameras []Camera) error {
	var b strings.Builder
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) } // never fails
	locked := 0
	for _, c := range cameras {
		switch {
		case c.NeedsLogin && o.user == "":
			locked++
		case c.Problem != "":
			say("%s: %s", c.Address, c.Problem)
		}
	}
	if locked > 0 {
		say("cameras that tell their streams only to users: %d of %d; add --user NAME, and put the password in WALDO_PASSWORD",
			locked, len(cameras))
	}
	if len(cameras) == 0 {
		say("no camera answers by ONVIF: switch ONVIF on in the camera's own pages, and be in the same network; " +
			"or name its address")
	}
	_, err := io.WriteString(to, b.String())
	return err
}
