package server

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/logtest"
)

func TestToken(t *testing.T) {
	s := newSite(t, Config{Token: "secret", Origins: []string{"https://friend.example"}}, 0)
	html := "Accept: text/html,*/*"
	protocol := func(token string) string {
		return "Sec-WebSocket-Protocol: waldo, waldo-token." + base64.RawURLEncoding.EncodeToString([]byte(token))
	}
	tests := []struct {
		name string
		q    request
		code int
	}{
		{"nothing", request{path: "/"}, 401},
		{"nothing, written differently", request{path: "//x/../index.html"}, 401},
		{"wrong", request{path: "/", headers: []string{"Authorization: Bearer guess"}}, 401},
		{"wrong in the address", request{path: "/?token=guess"}, 401},
		{"empty", request{path: "/?token="}, 401},
		{"metrics are not public", request{path: "/metrics"}, 401},
		{"devices are not public", request{path: "/devices"}, 401},
		{"pictures are not public", request{path: "/snapshot/front.jpg"}, 401},
		{"sessions are not public", request{method: "POST", path: "/whep/front"}, 401},
		{"what is not there is not public", request{path: "/nowhere"}, 401},
		{"health is", request{path: "/healthz"}, 200},
		{"modules are", request{path: "/page/main.js"}, 200},
		{"modules are for friendly pages", request{path: "/waldo.js", headers: []string{"Origin: https://friend.example"}},
			200},
		{"modules are not for foreign pages", request{path: "/waldo.js", headers: []string{"Origin: https://evil.example"}},
			403},
		{"bearer", request{path: "/", headers: []string{"Authorization: Bearer secret"}}, 200},
		{"the token is no cookie", request{path: "/", headers: []string{"Cookie: waldo_token=secret; waldo=secret"}}, 401},
		{"address of a file", request{path: "/waldo.js?token=secret"}, 200},
		{"address of the page", request{path: "/?token=secret&x=1", headers: []string{html}}, 303},
		{"friendly page", request{path: "/devices", headers: []string{"Origin: https://friend.example",
			"Authorization: Bearer secret"}}, 200},
		{"asking why there is no WebSocket", request{method: "POST", path: "/signal"}, 401},
		{"WebSocket of a friendly page",
			request{path: "/signal", headers: []string{"Origin: https://friend.example", protocol("secret")}}, 426},
		{"WebSocket with a wrong token",
			request{path: "/signal", headers: []string{"Origin: https://friend.example", protocol("guess")}}, 401},
		{"WebSocket with garbage", request{path: "/signal",
			headers: []string{"Sec-WebSocket-Protocol: waldo-token.%%, waldo-token."}}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			answer, body := s.do(tt.q)
			if answer.StatusCode != tt.code {
				t.Errorf("status %d, want %d: %s", answer.StatusCode, tt.code, body)
			}
			for _, way := range []string{"?token=…", "Authorization: Bearer …", "waldo.connect(undefined, {token})"} {
				if tt.code == http.StatusUnauthorized && !strings.Contains(body, way) {
					t.Errorf("the refusal does not name %s: %s", way, body)
				}
			}
			if answer.StatusCode != 303 && answer.Header.Get("Set-Cookie") != "" {
				t.Errorf("Set-Cookie: %s", answer.Header.Get("Set-Cookie"))
			}
		})
	}
}

// open opens the page with the token and returns the answer with its one cookie.
func (s *site) open(path string, headers ...string) (*http.Response, *http.Cookie) {
	s.t.Helper()
	answer, body := s.do(request{path: path, headers: append(headers, "Accept: text/html")})
	cookies := answer.Cookies()
	if answer.StatusCode != http.StatusSeeOther || len(cookies) != 1 {
		s.t.Fatalf("%s: %s %v %s", path, answer.Status, answer.Header, body)
	}
	return answer, cookies[0]
}

func TestSessionCookie(t *testing.T) {
	s := newSite(t, Config{Token: "a-secret"}, 0)
	port := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	for _, tt := range []struct {
		path, location string
		headers        []string
		secure         bool
	}{
		{"/?token=a-secret", "./", nil, false},
		{"/?x=1&token=a-secret&y=%2F", "./?x=1&y=%2F", nil, false},
		{"/index.html?token=a-secret", "./index.html", nil, false},
		{"//evil.example/..?token=a-secret", "./", nil, false},
		{"/javascript:alert(1)?token=a-secret", "./javascript:alert%281%29", nil, false},
		{"/?token=a-secret", "./", []string{"X-Forwarded-Proto: https"}, true},
		{"/?token=a-secret", "./", []string{"X-Forwarded-Proto: http", "X-Forwarded-Prefix: /evil",
			"X-Forwarded-Host: evil.example"}, false},
	} {
		answer, cookie := s.open(tt.path, tt.headers...)
		location := answer.Header.Get("Location")
		if strings.ReplaceAll(strings.ReplaceAll(location, "(", "%28"), ")", "%29") != tt.location ||
			answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Location %q, want %q, and it is not kept", tt.path, location, tt.location)
		}
		name := "waldo-" + port
		if tt.secure {
			name = "__Secure-" + name
		}
		if cookie.Name != name || cookie.Secure != tt.secure || !cookie.HttpOnly ||
			cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "" ||
			cookie.Domain != "" || cookie.MaxAge != int(sessionLife.Seconds()) || strings.Contains(cookie.Value, "secret") {
			t.Errorf("%s: the cookie is %v", tt.path, cookie)
		}
		if answer, body := s.do(request{path: "/devices", headers: []string{"Cookie: " + cookie.Name + "=" +
			cookie.Value}}); answer.StatusCode != 200 {
			t.Errorf("the session does not let in: %s %s", answer.Status, body)
		}
	}
	// A cookie set there would be for that folder only.
	if answer, _ := s.do(request{path: "/page/main.js?token=a-secret",
		headers: []string{"Accept: text/html"}}); answer.StatusCode != 200 || len(answer.Cookies()) != 0 {
		t.Errorf("beside the page: %s %v", answer.Status, answer.Cookies())
	}
}

// TestHostCookie: over TLS of the gateway itself the cookie is bound to the host; a proxy that speaks TLS to the
// gateway may have other programs on other paths.
func TestHostCookie(t *testing.T) {
	s := newSite(t, Config{Token: "a-secret"}, 0)
	for forwarded, want := range map[string]string{
		"":      "__Host-waldo-8080=; Path=/; HttpOnly; Secure; SameSite=Strict",
		"https": "__Secure-waldo-8080=; HttpOnly; Secure; SameSite=Strict",
		"http":  "__Secure-waldo-8080=; HttpOnly; Secure; SameSite=Strict",
	} {
		r := httptest.NewRequest(http.MethodGet, "https://rover.local:8080/?token=a-secret", http.NoBody)
		r.Header.Set("Accept", "text/html")
		if forwarded != "" {
			r.Header.Set("X-Forwarded-Proto", forwarded)
		}
		w := httptest.NewRecorder()
		s.server.Handler().ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		if len(cookies) != 1 {
			t.Fatalf("forwarded %q: %v", forwarded, w.Result().Header)
		}
		again := httptest.NewRequest(http.MethodGet, "https://rover.local:8080/devices", http.NoBody)
		again.AddCookie(cookies[0])
		w = httptest.NewRecorder()
		if s.server.Handler().ServeHTTP(w, again); w.Code != http.StatusOK {
			t.Errorf("forwarded %q: the session does not let in: %d", forwarded, w.Code)
		}
		cookies[0].Value, cookies[0].MaxAge = "", 0
		if got := cookies[0].String(); got != want {
			t.Errorf("forwarded %q: %s, want %s", forwarded, got, want)
		}
	}
}

// TestSessionsOutlastTheGateway has a second life of a gateway, a gateway with another token, and another robot.
func TestSessionsOutlastTheGateway(t *testing.T) {
	first := newSite(t, Config{Token: "a-secret"}, 0)
	_, cookie := first.open("/?token=a-secret")
	for _, tt := range []struct {
		name  string
		token string
		code  int
	}{
		{"second life", "a-secret", 200}, {"another token", "b-secret", 401},
	} {
		s := newSite(t, Config{Token: tt.token}, 0)
		port := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
		answer, body := s.do(request{path: "/devices", headers: []string{"Cookie: waldo-" + port + "=" + cookie.Value}})
		if answer.StatusCode != tt.code {
			t.Errorf("%s: %s %s", tt.name, answer.Status, body)
		}
	}
}

func TestSessions(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	key := func(robot, token string) sessions {
		s, err := newSessions(robot, token)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := key("demo", "secret")
	value := s.issue(newLogin(), "", now)
	flip := func(i int) string {
		data, _ := base64.RawURLEncoding.DecodeString(value)
		data[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(data)
	}
	for _, tt := range []struct {
		name  string
		by    sessions
		value string
		at    time.Duration
		want  time.Duration
	}{
		{"at once", s, value, 0, sessionLife},
		{"at the end", s, value, sessionLife - time.Second, time.Second},
		{"after the end", s, value, sessionLife, 0},
		{"long after the end", s, value, 100 * sessionLife, 0},
		{"another token", key("demo", "secreu"), value, 0, 0},
		{"another robot", key("other", "secret"), value, 0, 0},
		{"longer life", s, flip(3), 0, 0},
		{"other random part", s, flip(10), 0, 0},
		{"other code", s, flip(50), 0, 0},
		{"nothing", s, "", 0, 0},
		{"half of it", s, value[:30], 0, 0},
		{"more than it", s, value + "AAAA", 0, 0},
		{"the token", s, "secret", 0, 0},
	} {
		if _, _, got := tt.by.find(tt.value, now.Add(tt.at)); got != tt.want {
			t.Errorf("%s: it is good for %v, want %v", tt.name, got, tt.want)
		}
	}
	if s.issue(newLogin(), "", now) == value {
		t.Error("two sessions are the same")
	}
}

func FuzzSession(f *testing.F) {
	s, err := newSessions("demo", "secret")
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	good := s.issue(newLogin(), "", now)
	// Not good itself: the workers of the fuzzer issue others, and its inputs are for all of them.
	for _, seed := range []string{"", good[:len(good)-12], good[:20], strings.Repeat("A", len(good)), "%%%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if _, _, left := s.find(value, now); left != 0 && value != good {
			t.Errorf("%q is good for %v", value, left)
		}
	})
}

// TestSessionIsRenewed lets a session get older than half its life.
func TestSessionIsRenewed(t *testing.T) {
	s := newSite(t, Config{Token: "secret"}, 0)
	old, err := newSessions("demo", "secret")
	if err != nil {
		t.Fatal(err)
	}
	port := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	for _, tt := range []struct {
		age     time.Duration
		path    string
		code    int
		renewed bool
	}{
		{time.Minute, "/", 200, false},
		{sessionLife/2 + time.Minute, "/", 200, true},
		{sessionLife/2 + time.Minute, "/signal", 426, true},
		{sessionLife/2 + time.Minute, "/snapshot/front.jpg", 200, false}, // its folder is not the page's
		{sessionLife + time.Minute, "/", 401, false},
	} {
		cookie := "Cookie: waldo-" + port + "=" + old.issue(newLogin(), "", time.Now().Add(-tt.age))
		answer, _ := s.do(request{path: tt.path, headers: []string{cookie}})
		if answer.StatusCode != tt.code || (len(answer.Cookies()) == 1) != tt.renewed {
			t.Errorf("%s after %v: %s, %v", tt.path, tt.age, answer.Status, answer.Cookies())
		}
	}
}

// TestGuessing has guessers behind the same address as a visitor who knows the token.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Text
		metrics := prometheus.NewRegistry()
		guard, err := newGuard(t.Context(), Config{Metrics: metrics, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Authority: tokens.NewAuthority("secret", nil), Token: "secret"}, newTickets(),
			func(*http.Request) route { return route{need: roles.Viewer} })
		if err != nil {
			t.Fatal(err)
		}
		handler := guard.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		try := func(token string) (code int, took time.Duration) {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/devices", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			begin := time.Now()
			handler.ServeHTTP(w, r)
			return w.Code, time.Since(begin)
		}
		if code, took := try("guess-1"); code != 401 || took == 0 {
			t.Errorf("a guess: %d after %v", code, took)
		}
		var guessers sync.WaitGroup
		codes := make([]int, 200)
		for i := range codes {
			guessers.Go(func() { codes[i], _ = try("guess-2") })
		}
		synctest.Wait() // those who wait do so now
		if code, took := try("secret"); code != 200 || took != 0 {
			t.Errorf("the right token among guesses: %d after %v", code, took)
		}
		guessers.Wait()
		if slices.Contains(codes, 200) || !slices.Contains(codes, 401) || !slices.Contains(codes, 429) {
			t.Errorf("the guesses end with %v", codes)
		}
		if text := log.String(); strings.Count(text, "wrong token") != 3 || strings.Contains(text, "guess-") {
			t.Errorf("the log of 201 guesses:\n%s", text)
		}
		if n := testutil.ToFloat64(guard.wrong); n != 201 {
			t.Errorf("the metric is %v, not 201", n)
		}
	})
}

// TestCloseEndsDelays checks that guesses do not hold up the end of the gateway.
func TestCloseEndsDelays(t *testing.T) {
	s := newSite(t, Config{Token: "secret"}, 0)
	s.server.Close()
	fastest := time.Hour // of the later ones, which would be delayed by 3 s each; a busy machine delays some, and not all
	for i := range 10 {
		begin := time.Now()
		s.do(request{path: "/devices", headers: []string{"Authorization: Bearer guess"}})
		if i > 5 {
			fastest = min(fastest, time.Since(begin))
		}
	}
	if fastest >= 3*time.Second {
		t.Errorf("each guess took %v or longer", fastest)
	}
}
