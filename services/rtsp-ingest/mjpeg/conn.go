package mjpeg

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Conn is a connection to a camera that sends JPEGs. It implements [feed.Conn].
type Conn struct {
	config Config
	client *client
	answer *reply // whose body comes next
	single bool   // the camera gives one picture per request
	etag   string
	server string
}

// Open asks the camera for its pictures.
func Open(ctx context.Context, config Config) (*Conn, error) {
	config = config.filled()
	c := &Conn{config: config, client: newClient(config)}
	stop := context.AfterFunc(ctx, c.client.close)
	defer stop()
	answer, err := c.client.get(ctx, "")
	if err != nil {
		c.client.close()
		return nil, err
	}
	if err := c.understand(answer); err != nil {
		c.client.close()
		return nil, err
	}
	return c, nil
}

// understand looks at what comes.
func (c *Conn) understand(answer *reply) error {
	kind, _, _ := strings.Cut(answer.header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if promisesNone(kind) && !answer.holdsPictures() {
		return feed.Failf(feed.Unsupported, "url", "url: the camera answers with %s, not with pictures: "+
			"write the URL of its MJPEG stream or snapshot", feed.Printable(kind))
	}
	c.answer, c.server = answer, feed.Printable(answer.header.Get("Server"))
	c.single = kind == "image/jpeg" || kind == "image/jpg"
	c.etag = answer.header.Get("ETag")
	return nil
}

// promisesNone tells whether a media type is one that holds no pictures.
func promisesNone(kind string) bool {
	top, _, _ := strings.Cut(kind, "/")
	return top == "text" || top == "audio" || kind == "application/json" || kind == "application/xml"
}

// Video implements [feed.Conn].
func (c *Conn) Video() feed.Track { return feed.Track{MediaType: media.JPEG} }

// Attributes implements [feed.Conn].
func (c *Conn) Attributes() map[string]string {
	how := "http, multipart"
	if c.single {
		how = "http, a picture every " + c.config.Every.String()
	}
	a := map[string]string{"transport": how}
	if c.server != "" {
		a["server"] = c.server
	}
	return a
}

// Close implements [feed.Conn].
func (c *Conn) Close() error {
	c.client.close()
	return nil
}

// Run implements [feed.Conn].
func (c *Conn) Run(ctx context.Context, to feed.Receiver) error {
	stop := context.AfterFunc(ctx, c.client.close)
	defer stop()
	defer c.client.close()
	err := c.receive(ctx, to)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (c *Conn) receive(ctx context.Context, to feed.Receiver) error {
	damaged := false
	for {
		began := time.Now()
		n, err := c.body(to, &damaged)
		if !c.single || !drained(err) {
			return c.ended(err)
		}
		if n == 0 && c.answer.status == http.StatusOK {
			return feed.Failf(feed.Unsupported, "url",
				"url: the camera's answer is no JPEG: write the URL of its snapshot")
		}
		if c.answer.last {
			c.client.hangUp()
		}
		select {
		case <-time.After(c.config.Every - time.Since(began)):
		case <-ctx.Done():
			return nil
		}
		answer, err := c.client.get(ctx, c.etag)
		if err != nil {
			return err
		}
		c.answer = answer
		if etag := answer.header.Get("ETag"); etag != "" {
			c.etag = etag
		}
	}
}

// body delivers the pictures of one answer, and returns how many there were.
func (c *Conn) body(to feed.Receiver, damaged *bool) (n int, err error) {
	r := &reader{in: bufio.NewReaderSize(c.answer.body, 64<<10), now: time.Now}
	for {
		picture, arrival, lost, err := r.next()
		if err != nil {
			*damaged = *damaged || r.damaged
			return n, err
		}
		n++
		if to.Picture != nil {
			to.Picture(feed.Picture{
				MediaType: media.JPEG, Data: [][]byte{picture}, Untimed: true, Arrival: arrival,
				Damaged: lost || *damaged,
			})
		}
		*damaged = false
	}
}

// ended says why no more pictures come.
func (c *Conn) ended(err error) error {
	if _, ok := errors.AsType[*feed.Error](err); ok {
		return err
	}
	switch {
	case dial.IsTimeout(err):
		return feed.Failf(feed.Away, "url", "the camera has sent nothing for %s", c.config.Limits.Silence)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return feed.Failf(feed.Away, "url", "the camera has ended the stream")
	}
	return feed.Failf(feed.Away, "url", "the connection to the camera has gone")
}
