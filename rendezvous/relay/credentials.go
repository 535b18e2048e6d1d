package relay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pion/turn/v5"
)

// Credentials open the relay to one peer of a robot, as in draft-uberti-behave-turn-rest: the user name says until when
// and for whom, and the password proves that this server gave it out. Nothing is stored.
type Credentials struct {
	Username string
	Password string
	Life     time.Duration // from now on; the peer's clock does not matter
}

// ICEServer is an element of RTCConfiguration.iceServers.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Credentials makes credentials for a peer of a robot, such as the robot itself or one viewer. The peer is a name of
// the caller's choice; the limits count by robot.
func (r *Relay) Credentials(robot, peer string) Credentials {
	until := time.Now().Add(r.config.Life)
	name := strings.Join([]string{strconv.FormatInt(until.Unix(), 10), url.QueryEscape(robot), url.QueryEscape(peer)}, ":")
	return Credentials{Username: name, Password: r.password(name), Life: r.config.Life}
}

// ICEServers returns what a peer of a robot puts into its RTCConfiguration: the URLs of the configuration, those of
// TURN with new credentials.
func (r *Relay) ICEServers(robot, peer string) []ICEServer {
	var stun, turns []string
	for _, address := range r.config.URLs {
		if strings.HasPrefix(address, "stun") {
			stun = append(stun, address)
		} else {
			turns = append(turns, address)
		}
	}
	var servers []ICEServer
	if len(stun) > 0 {
		servers = append(servers, ICEServer{URLs: stun})
	}
	if len(turns) > 0 {
		c := r.Credentials(robot, peer)
		servers = append(servers, ICEServer{URLs: turns, Username: c.Username, Credential: c.Password})
	}
	return servers
}

func (r *Relay) password(username string) string {
	mac := hmac.New(sha256.New, r.config.Secret)
	mac.Write([]byte(username))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// user is what a user name says. Its identity is the same for all credentials of a peer, so that new ones can be used
// on an allocation that was made with old ones.
type user struct {
	until    time.Time
	identity string
	robot    string
}

func parseUser(name string) (user, bool) {
	seconds, identity, _ := strings.Cut(name, ":")
	until, err := strconv.ParseInt(seconds, 10, 64)
	robot, _, found := strings.Cut(identity, ":")
	if err != nil || !found || robot == "" {
		return user{}, false
	}
	return user{until: time.Unix(until, 0), identity: identity, robot: robot}, true
}

// authenticate returns the key that proves the credentials of a request, if they are still good for it. Expired ones
// make no allocation, but keep one alive that was made in time, for as long again: a call does not end because nobody
// renewed them. The server of pion refuses the request if the key does not prove it.
func (r *Relay) authenticate(request *turn.RequestAttributes, held *allocation) (identity string, key []byte, ok bool) {
	u, ok := parseUser(request.Username)
	if !ok || request.Realm != r.config.Realm {
		r.metrics.refuse(refusedForged)
		return "", nil, false
	}
	until := u.until
	if held != nil && held.identity == u.identity {
		until = until.Add(r.config.Life)
	}
	if time.Now().After(until) {
		r.metrics.refuse(refusedExpired)
		return "", nil, false
	}
	return u.identity, turn.GenerateAuthKey(request.Username, request.Realm, r.password(request.Username)), true
}
