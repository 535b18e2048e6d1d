package onvif

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const (
	maxBody   = 1 << 20  // bytes of an answer
	maxHead   = 64 << 10 // bytes of its header
	maxLogins = 2        // refusals by HTTP that are answered for one request
	maxShown  = 200      // bytes of a text by the camera that an error repeats
)

// Namespaces of the services.
const (
	nsDevice = "http://www.onvif.org/ver10/device/wsdl"
	nsMedia  = "http://www.onvif.org/ver10/media/wsdl"
	nsMedia2 = "http://www.onvif.org/ver20/media/wsdl"
	nsPTZ    = "http://www.onvif.org/ver20/ptz/wsdl"
)

// operation is a call of a service.
type operation struct {
	service string // its namespace
	name    string
	body    string // what stands in its element: XML, in which t: is the namespace of ONVIF's types
	open    bool   // it goes without a login
}

const envelope = `<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:t="http://www.onvif.org/ver10/schema">` +
	`<s:Header>%s</s:Header><s:Body><%[2]s xmlns="%[3]s">%[4]s</%[2]s></s:Body></s:Envelope>`

const security = `<w:Security s:mustUnderstand="true" xmlns:w="http://docs.oasis-open.org/wss/2004/01/` +
	`oasis-200401-wss-wssecurity-secext-1.0.xsd"><w:UsernameToken><w:Username>%s</w:Username>` +
	`<w:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0` +
	`#PasswordDigest">%s</w:Password><w:Nonce EncodingType="http://docs.oasis-open.org/wss/2004/01/` +
	`oasis-200401-wss-soap-message-security-1.0#Base64Binary">%s</w:Nonce>` +
	`<u:Created xmlns:u="http://docs.oasis-open.org/wss/2004/01/` +
	`oasis-200401-wss-wssecurity-utility-1.0.xsd">%s</u:Created></w:UsernameToken></w:Security>`

// token is a WS-UsernameToken: it proves that we know the password, at a time by the camera's clock.
func token(user string, password address.Secret, nonce []byte, created time.Time) string {
	at := created.UTC().Format("2006-01-02T15:04:05.000Z")
	sum := sha1.Sum(append(append(append([]byte{}, nonce...), at...), password...))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf(security, escaped(user), encode(sum[:]), encode(nonce), at)
}

// newTransport connects to the camera as all protocols do.
func newTransport(c Config) *http.Transport {
	open := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dial.Open(ctx, dial.Config{
			Address: c.Address, Key: c.Key, Assumed: c.Assumed,
			Fingerprint: c.Fingerprint, LegacyTLS: c.LegacyTLS, Limit: c.Limit,
		})
	}
	return &http.Transport{
		DialContext: open, DialTLSContext: open, MaxIdleConns: 2, IdleConnTimeout: 20 * time.Second,
		ResponseHeaderTimeout: c.Limit, MaxResponseHeaderBytes: maxHead,
	}
}

// call asks a service at a path, and returns the body of its answer.
func (c *Client) call(ctx context.Context, target string, o operation) (*node, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Limit)
	defer cancel()
	answer, err := c.ask(ctx, target, o)
	if !o.open && feed.ReasonOf(err) == feed.Refused && c.config.Address.User != "" && c.adjust(ctx) {
		answer, err = c.ask(ctx, target, o)
	}
	return answer, err
}

// ask is call with the camera's time as it is known.
func (c *Client) ask(ctx context.Context, target string, o operation) (*node, error) {
	for logins := 0; ; {
		answer, challenges, err := c.post(ctx, target, o)
		if challenges == nil {
			if err == nil {
				c.login.Accept()
			}
			return answer, err
		}
		again := c.login.Take(challenges)
		if _, bare := c.authorize(target); bare {
			return nil, feed.Failf(feed.Unsupported, "user", "user: the camera wants the password in the clear: "+
				"switch its web login to digest, or use https://")
		}
		if logins++; !again || logins > maxLogins {
			return nil, c.refused()
		}
	}
}

// authorize returns the field Authorization: nothing if it would show the password to others.
func (c *Client) authorize(uri string) (value string, bare bool) {
	value = c.login.Authorize(http.MethodPost, uri)
	if !c.config.Address.Secure() && strings.HasPrefix(value, "Basic ") {
		return "", true
	}
	return value, false
}

func (c *Client) refused() error {
	if c.config.Address.User == "" {
		return feed.Failf(feed.Refused, "user", "user: the camera asks for user and password: write them as keys beside url")
	}
	return feed.Failf(feed.Refused, "password", "password: the camera refuses user and password for ONVIF: "+
		"check both; many cameras have users of their own for ONVIF")
}

// post sends one request. Challenges are those of an answer with status 401.
func (c *Client) post(ctx context.Context, target string, o operation) (*node, []string, error) {
	request, err := c.request(ctx, target, o)
	if err != nil {
		return nil, nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, nil, c.failure(ctx, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, nil, c.failure(ctx, err)
	case len(data) > maxBody:
		return nil, nil, feed.Failf(feed.Unsupported, c.config.Key, "the camera's answer to %s is longer than %d bytes",
			o.name, maxBody)
	case response.StatusCode == http.StatusUnauthorized && !o.open:
		return nil, append([]string{}, response.Header.Values("WWW-Authenticate")...), nil
	}
	body, err := c.read(data, response.StatusCode, o)
	return body, nil, err
}

func (c *Client) request(ctx context.Context, target string, o operation) (*http.Request, error) {
	head := ""
	if a := c.config.Address; a.User != "" && !o.open {
		nonce := make([]byte, 16)
		_, _ = rand.Read(nonce) // never fails
		head = token(a.User, a.Password, nonce, c.Now())
	}
	at := c.config.Address
	at.Target = target
	text := fmt.Sprintf(envelope, head, o.name, o.service, o.body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at.URL(), strings.NewReader(text))
	if err != nil {
		return nil, feed.Failf(feed.Unsupported, c.config.Key, "the camera names a path that cannot be asked for")
	}
	request.Header.Set("Content-Type", mime.FormatMediaType("application/soap+xml",
		map[string]string{"charset": "utf-8", "action": o.service + "/" + o.name}))
	request.Header.Set("User-Agent", "Waldo")
	request.Header["Idempotency-Key"] = nil // not sent; says that it may be repeated on a new connection
	if login, _ := c.authorize(request.URL.RequestURI()); login != "" && !o.open {
		request.Header.Set("Authorization", login)
	}
	return request, nil
}

// failure is why there is no answer. The text of a url.Error holds nothing that helps.
func (c *Client) failure(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*feed.Error](err); ok {
		return e
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return feed.Failf(feed.Away, c.config.Key, "the request was ended")
	}
	where := c.config.Address.HostPort()
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || ctx.Err() != nil {
		return feed.Failf(feed.Away, c.config.Key, "no answer from %s in %s: check the address and the port of ONVIF", where,
			c.config.Limit)
	}
	return feed.Failf(feed.Away, c.config.Key, "%s does not answer by HTTP: check the address and the port of ONVIF",
		where)
}

// read finds the body of an answer, or what the camera says is wrong.
func (c *Client) read(data []byte, status int, o operation) (*node, error) {
	root, err := parse(data)
	body := root.find("Envelope", "Body")
	switch fault := body.find("Fault"); {
	case fault != nil:
		return nil, c.fault(fault, o)
	case status >= 300 && status < 400:
		return nil, feed.Failf(feed.Unsupported, c.config.Key,
			"the camera sends us on to another address (%d): write that one", status)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return nil, c.refused()
	case status == http.StatusNotFound:
		return nil, feed.Failf(feed.NotFound, c.config.Key,
			"the camera has no ONVIF at this path (404): check the path and the "+
				"port, and that ONVIF is switched on")
	case status != http.StatusOK:
		return nil, feed.Failf(feed.Away, c.config.Key, "the camera answers %s with status %d", o.name, status)
	case err != nil || body == nil:
		return nil, feed.Failf(feed.Unsupported, c.config.Key, "what answers %s does not speak ONVIF: check the port", o.name)
	}
	if answer := body.find(o.name + "Response"); answer != nil {
		return answer, nil
	}
	return nil, feed.Failf(feed.Unsupported, c.config.Key, "the camera answers something else than %s", o.name)
}

// fault makes an error of what a camera says is wrong.
func (c *Client) fault(fault *node, o operation) error {
	var codes []string
	for _, name := range []string{"Value", "faultcode"} {
		for _, n := range fault.all(name, 8) {
			_, local, ok := strings.Cut(n.text, ":")
			if !ok {
				local = n.text
			}
			codes = append(codes, local)
		}
	}
	has := func(names ...string) bool {
		for _, code := range codes {
			for _, name := range names {
				if strings.EqualFold(code, name) {
					return true
				}
			}
		}
		return false
	}
	why := shown(fault.value("Reason", "Text") + fault.value("faultstring"))
	switch {
	case has("NotAuthorized", "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken"):
		return c.refused()
	case has("ActionNotSupported", "OptionalActionNotImplemented", "NotImplemented", "ActionNotImplemented"):
		return feed.Failf(feed.Unsupported, c.config.Key, "the camera has no %s: %s", o.name, why)
	}
	return feed.Failf(feed.Away, c.config.Key, "the camera refuses %s: %s", o.name, why)
}
