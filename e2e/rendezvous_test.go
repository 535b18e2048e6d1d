package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// ask sends a GET request and returns the status and the body.
func ask(url string, headers ...string) (int, string, error) {
	r, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// untilStatus waits until a URL answers with a status, and returns the body.
func untilStatus(tb testing.TB, url string, status int) (body string) {
	tb.Helper()
	harness.Until(tb, fmt.Sprintf("%s answers %d", url, status), func() error {
		got, text, err := ask(url)
		if err == nil && got != status {
			err = fmt.Errorf("status %d: %s", got, text)
		}
		body = text
		return err
	})
	return body
}

// untilRendezvous waits until a robot says how it stands with its rendezvous server.
func untilRendezvous(tb testing.TB, robot *harness.Robot, state string) {
	tb.Helper()
	harness.Until(tb, "the rendezvous server is "+state, func() error {
		if _, body, err := ask(robot.URL + "/healthz"); err != nil || !strings.Contains(body, `"rendezvous":"`+state+`"`) {
			return fmt.Errorf("%s, %w", body, err)
		}
		return nil
	})
}

// TestRendezvous reaches a robot through a rendezvous server: what is public, and nothing else. The server is killed
// and returns, and so does the robot.
func TestRendezvous(t *testing.T) {
	server := harness.StartLocalRendezvous(t)
	robot := harness.StartRobot(t, harness.Options{Name: "rover", Gateway: server.Gateway()})
	far := server.URL + "/r/rover/"
	untilStatus(t, far+"healthz", http.StatusOK)
	page, err := exec.Command("curl", "-sf", far).Output()
	if err != nil || !strings.Contains(string(page), "<title>") {
		t.Errorf("the page by curl: %v, %.200s", err, page)
	}
	if module, err := exec.Command("curl", "-sf", far+"waldo.js").Output(); err != nil || len(module) < 1000 {
		t.Errorf("a module of the page by curl: %v, %.200s", err, module)
	}
	for path, want := range map[string]int{
		"waldo.js": 200, "metrics": 403, "devices": 403, "snapshot/front.jpg": 403,
	} {
		status, body, err := ask(far+path, "Authorization: Bearer "+harness.Token)
		if err != nil || status != want {
			t.Errorf("%s: status %d, want %d: %.200s %v", path, status, want, body, err)
		}
	}
	if status, _, _ := ask(robot.URL+"/devices", "Authorization: Bearer "+harness.Token); status != 200 {
		t.Errorf("the robot's own address: status %d", status)
	}
	if body := untilStatus(t, robot.URL+"/healthz", 200); !strings.Contains(body, `"rendezvous":"connected"`) {
		t.Errorf("healthz: %s", body)
	}
	server.Kill(t)
	untilRendezvous(t, robot, "away")
	server.Restart(t)
	untilStatus(t, far+"healthz", http.StatusOK)
	robot.Stop(t)
	untilStatus(t, far, http.StatusServiceUnavailable)
	if status, body, _ := ask(server.URL + "/r/raver/"); status != http.StatusNotFound {
		t.Errorf("an unknown robot: status %d, %s", status, body)
	}
	if text := robot.Output() + server.Output(); strings.Contains(text, harness.Token) ||
		strings.Contains(text, harness.GuestToken) {
		t.Errorf("a token is in a log:\n%s", text)
	}
}

// TestTwoRobotsOfOneName: the second robot is refused, says why, and gets the name when it is forgotten.
func TestTwoRobotsOfOneName(t *testing.T) {
	server := harness.StartLocalRendezvous(t)
	first := harness.StartRobot(t, harness.Options{Name: "rover", Gateway: server.Gateway()})
	untilStatus(t, server.URL+"/r/rover/healthz", http.StatusOK)
	second := harness.StartRobot(t, harness.Options{Name: "rover", Gateway: server.Gateway()})
	harness.Until(t, "the second says why it is refused", func() error {
		if !strings.Contains(second.Output(), "waldo rendezvous forget rover") {
			return fmt.Errorf("it says\n%s", second.Output())
		}
		return nil
	})
	first.Stop(t)
	untilStatus(t, server.URL+"/r/rover/healthz", http.StatusServiceUnavailable)
	second.Stop(t)
	if out, err := exec.Command(harness.Bin(t, "waldo"), "rendezvous", "forget", "rover", "--state", server.State).
		CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	harness.StartRobot(t, harness.Options{Name: "rover", Gateway: server.Gateway()})
	untilStatus(t, server.URL+"/r/rover/healthz", http.StatusOK)
}
