package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
)

// secret must not appear anywhere.
const secret = "hunter2"

// TestSecretsThatCannotBeRead gives every command and program a URL with a password that is not escaped.
func TestSecretsThatCannotBeRead(t *testing.T) {
	t.Setenv("PATH", launchtest.Install(t, "waldo", "waldo-camera", "waldo-serial"))
	plain := launchtest.WriteRobot(t, "robot: a\ndevices: {f: {kind: camera, grpc: \"127.0.0.1:0\"}}\n")
	for _, url := range []string{
		"nats://bob:" + secret + "/x@127.0.0.1:4222", "nats://bob:12/" + secret + "@127.0.0.1:4222", "nats://bob:" +
			secret + "#@127.0.0.1:4222",
		"nats://bob:x%" + secret + "@127.0.0.1:4222", "bob:" + secret + "@127.0.0.1:4222",
	} {
		file := launchtest.WriteRobot(t, fmt.Sprintf("robot: a\ndevices: {f: {kind: camera, grpc: "+
			"\"127.0.0.1:0\"}}\nnats: {url: %q}\n", url))
		inFlow := launchtest.WriteRobot(t, "robot: a\ndevices: {f: {kind: camera, grpc: \"127.0.0.1:0\"}}\nnats: {url: "+
			url+"}\n")
		for _, args := range [][]string{
			{"ls", "--nats", url}, {"estop", "--nats", url}, {"watch", "f", "--nats", url}, {"send", "f", "1", "--nats", url},
			{"snapshot", "f", "--nats", url}, {"up", "--no-gateway", file}, {"up", "--no-gateway", inFlow},
			{"up", "--no-gateway", "--nats", url, plain},
			{"up", "--no-gateway", "--check", file},
		} {
			code, out, err := waldo(t, args...)
			if code != device.ExitConfiguration || out != "" || strings.Contains(err, secret) ||
				!strings.Contains(err, "/ as %2F") {
				t.Errorf("%q: %d, %s%s", args, code, out, err)
			}
		}
		if code, _, err := waldo(t, "ls", url); code != exitUsage || strings.Contains(err, "//") &&
			strings.Contains(err, secret) {
			t.Errorf("ls %s: %d, %s", url, code, err)
		}
	}
}

// TestSecretsOfARobot runs a robot whose bus requires a token, given in its URL, and checks every place
// where it could appear.
func TestSecretsOfARobot(t *testing.T) {
	t.Setenv("PATH", launchtest.Install(t, "waldo", "waldo-camera"))
	server, err := embedded.Start(embedded.Config{Token: secret})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	url := strings.Replace(server.URL(), "nats://", "nats://"+secret+"@", 1)
	file := launchtest.WriteRobot(t, fmt.Sprintf("robot: a\ndevices: {f: {kind: camera, grpc: "+
		"\"127.0.0.1:0\"}}\nnats: {url: %q}\n", url))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log strings.Builder
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"up", "--no-gateway", file}, console{io.Discard, &log}) }()
	d := ls(t, 1, "--nats", url)[0]
	_, table, said := waldo(t, "ls", "--nats", url)
	_, inJSON, _ := waldo(t, "ls", "--json", "--nats", url)
	_, none, saidNone := waldo(t, "ls", "--robot", "other", "--nats", url)
	_, _, stop := waldo(t, "estop", "--nats", url)
	_, _, away := waldo(t, "ls", "--nats", "nats://"+secret+"@"+free(t), "--timeout", "100ms")
	metrics := metricsOf(t, d)
	commandLine, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", d.PID))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	places := map[string]string{"ls": table + said, "ls --json": inJSON, "ls of another": none + saidNone,
		"estop": stop, "no bus": away,
		"the command line": string(commandLine), "the metrics": metrics}
	if code := <-ended; code != 0 {
		t.Errorf("ended with %d", code)
	}
	places["the log"] = log.String()
	for place, text := range places {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows the secret:\n%s", place, text)
		}
	}
	if !strings.Contains(log.String(), "bus nats://***@127.0.0.1:") {
		t.Errorf("the log does not give the address of the bus:\n%s", log.String())
	}
}

// metricsOf returns the metrics of a device.
func metricsOf(t *testing.T, d listed) string {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/cmdline"} {
		response, err := http.Get("http://" + d.MetricsAddress + path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(&all, response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
