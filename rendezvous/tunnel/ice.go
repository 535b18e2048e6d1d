package tunnel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// icePath is where a server tells its robots of ICE servers.
	icePath = "/ice"
	// maxICE bounds the list in bytes, maxICEServers and maxURLs its parts.
	maxICE        = 16 << 10
	maxICEServers = 16
	maxURLs       = 8
	// Lifetimes beyond these are taken for them.
	minLifetime, maxLifetime = 4 * time.Second, 7 * 24 * time.Hour
)

// ICEServer is one STUN or TURN server, as in RTCIceServer.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// ICEServers are those that the peers of a robot may use.
type ICEServers struct {
	Servers []ICEServer `json:"iceServers"`
	// LifetimeSeconds is for how long the credentials can be used from now on.
	LifetimeSeconds int64 `json:"lifetimeSeconds"`
}

// Lifetime is for how long the credentials can be used from when the list was received.
func (s *ICEServers) Lifetime() time.Duration {
	seconds := min(max(s.LifetimeSeconds, int64(minLifetime/time.Second)), int64(maxLifetime/time.Second))
	return time.Duration(seconds) * time.Second
}

// ICEHandler answers what robots ask for with [Session.ICEServers]. list is called with the name of the robot.
func ICEHandler(list func(robot string) ICEServers) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+icePath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list(r.RemoteAddr)) // the robot may have left
	})
	return mux
}

// ICEServers asks the server of a robot's session for ICE servers, for the robot and its peers.
func (s *Session) ICEServers(ctx context.Context) (*ICEServers, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return s.Open() },
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://rendezvous"+icePath, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxICE+1))
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the rendezvous server answers %s: %s", answer.Status, bounded(string(data)))
	}
	return parseICE(data)
}

// parseICE checks a list of ICE servers.
func parseICE(data []byte) (*ICEServers, error) {
	if len(data) > maxICE {
		return nil, fmt.Errorf("the list of ICE servers has more than %d bytes", maxICE)
	}
	var s ICEServers
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("the list of ICE servers: %w", err)
	}
	if len(s.Servers) > maxICEServers {
		return nil, fmt.Errorf("iceServers: %d are too many: the limit is %d", len(s.Servers), maxICEServers)
	}
	for i, one := range s.Servers {
		if len(one.URLs) == 0 || len(one.URLs) > maxURLs {
			return nil, fmt.Errorf("iceServers[%d].urls: there are %d, want 1 to %d", i, len(one.URLs), maxURLs)
		}
		for _, u := range one.URLs {
			if err := checkICE(u); err != nil {
				return nil, fmt.Errorf("iceServers[%d].urls: %w", i, err)
			}
		}
	}
	return &s, nil
}

// checkICE checks the address of an ICE server, by form: browsers refuse a whole list for one that they cannot read.
func checkICE(address string) error {
	scheme, rest, _ := strings.Cut(address, ":")
	rest, query, _ := strings.Cut(rest, "?")
	switch {
	case scheme != "stun" && scheme != "stuns" && scheme != "turn" && scheme != "turns",
		query != "" && query != "transport=udp" && query != "transport=tcp",
		rest == "" ||
			strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/@"<>`, r) }):
		return errors.New("an address is none of a STUN or TURN server")
	}
	return nil
}
