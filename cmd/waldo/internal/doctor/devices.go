package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/version"
)

// soon is how long before its end a certificate should have been renewed.
const soon = 14 * 24 * time.Hour

// nodeKeys are keys of devices that name files in /dev.
var nodeKeys = []string{"source", "port", "device", "speaker"}

// checkDevices is about hardware that is not there.
func checkDevices(_ context.Context, s *System, report report) {
	for _, d := range s.devices() {
		for _, key := range nodeKeys {
			node := d.Text(key)
			if !strings.HasPrefix(node, "/dev/") {
				continue
			}
			_, err := os.Stat(s.path(node))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				report(Error, "plug it in; these are there: "+s.like(node),
					fmt.Sprintf("%s: %s %s is not there", d.Name, key, node))
			case err != nil:
				report(Error, "look at the rights of the folders above it", fmt.Sprintf("%s: %s: %v", d.Name, key, err))
			}
		}
	}
}

// like lists hardware that may be meant instead.
func (s *System) like(node string) string {
	folders := []string{path.Dir(node)}
	prefix := strings.TrimRight(path.Base(node), "0123456789")
	if strings.HasPrefix(path.Base(node), "tty") {
		prefix = "tty"
		folders = append(folders, "/dev/serial/by-id")
	}
	if path.Dir(node) != "/dev" {
		prefix = ""
	}
	var found []string
	for i, folder := range folders {
		entries, _ := os.ReadDir(s.path(folder)) // an empty folder has none either
		for _, e := range entries {
			name := e.Name()
			usual := prefix != "tty" || strings.HasPrefix(name, "ttyUSB") || strings.HasPrefix(name, "ttyACM")
			if i > 0 || strings.HasPrefix(name, prefix) && usual {
				found = append(found, path.Join(folder, name))
			}
		}
	}
	if len(found) == 0 {
		return "none of its sort"
	}
	return strings.Join(found, ", ")
}

// runs tells which of the processes run that have addresses: by the name of the device, "gateway" and "bus". Theirs are
// their own.
func (s *System) runs(ctx context.Context) map[string]bool {
	running, ok := s.Running(ctx)
	own := map[string]bool{"bus": ok, gateway: len(running) > 0}
	for _, p := range running {
		own[p.Name] = true
	}
	if s.Units {
		_, failed := s.Failed(ctx)[gateway]
		own[gateway] = ok && !failed
	}
	return own
}

// checkPorts is about addresses that other programs have.
func checkPorts(ctx context.Context, s *System, report report) {
	if s.Robot == nil {
		return
	}
	own := s.runs(ctx)
	try := func(name, what, configured string) {
		if own[name] {
			return
		}
		address, _, err := access.Address(configured, s.Token)
		if err != nil {
			report(Error, "correct it in robot.yaml", fmt.Sprintf("%s: %v", what, err))
			return
		}
		switch err := s.Listen(address); {
		case errors.Is(err, syscall.EADDRINUSE):
			report(Error, "stop the other program (ss -ltnp tells which it is), or choose another address",
				fmt.Sprintf("%s: %s is in use", what, address))
		case err != nil:
			report(Error, "choose another address", fmt.Sprintf("%s: %v", what, err))
		}
	}
	for _, d := range s.devices() {
		try(d.Name, d.Name+": grpc", d.GRPC)
	}
	try(gateway, "gateway: http", cmp.Or(s.Robot.Gateway.Text("http"), launch.DefaultHTTP))
	if s.Robot.NATS.URL == "" {
		try("bus", "nats: listen", cmp.Or(s.Robot.NATS.Listen, launch.DefaultNATS))
		return
	}
	if u, err := url.Parse(s.Robot.NATS.URL); err == nil && net.ParseIP(u.Hostname()) == nil {
		if _, err := net.DefaultResolver.LookupHost(ctx, u.Hostname()); err != nil {
			report(Error, "correct nats.url, or the name server of this machine",
				fmt.Sprintf("nats.url: %s is not known here", u.Hostname()))
		}
	}
}

// checkCertificates is about certificates that are not valid, or not for long.
func checkCertificates(_ context.Context, s *System, report report) {
	if s.Robot == nil {
		return
	}
	cert, key := s.Robot.TLS.Cert, s.Robot.TLS.Key
	remedy := "give the robot another: it is read again without a restart"
	var names []string
	switch {
	case cert != "":
		cert, key, names = s.path(cert), s.path(key), s.Robot.TLS.Names
	case s.Robot.TLS.Auto:
		cert, key = s.path(path.Join(s.State, "tls", "leaf.crt")), s.path(path.Join(s.State, "tls", "leaf.key"))
		remedy = "waldo restart bus makes another"
		s.checkAuthority(report)
		if _, err := os.Stat(cert); errors.Is(err, fs.ErrNotExist) {
			return // it is made when the robot starts
		}
	default:
		return
	}
	now := s.Now()
	if now.Before(version.Day) { // the clock is wrong, which is another finding
		now = version.Day
	}
	if err := certs.Check(cert, key, names, now); err != nil {
		for line := range strings.Lines(err.Error()) {
			report(Error, remedy, strings.TrimSpace(strings.ReplaceAll(line, strings.TrimSuffix(s.Root, "/")+"/", "/")))
		}
	}
	if err := certs.Check(cert, key, nil, now.Add(soon)); err != nil {
		if certs.Check(cert, key, nil, now) == nil {
			report(Warning, remedy, fmt.Sprintf("the certificate %s is valid for less than two weeks",
				strings.TrimPrefix(cert, strings.TrimSuffix(s.Root, "/"))))
		}
	}
}

// checkAuthority is about an authority that could harm those who trust it.
func (s *System) checkAuthority(report report) {
	authority, err := certs.ReadAuthority(s.path(path.Join(s.State, "tls")))
	if err != nil {
		return // it is read again, and reported, by who uses it
	}
	if wide := certs.TooWide(authority); len(wide) > 0 {
		report(Error, "waldo trust --new, and remove the old one wherever it is trusted",
			"the robot's certificate authority is of an older version, and could issue certificates for sites of the internet, "+
				"below "+strings.Join(wide, ", "))
	}
}
