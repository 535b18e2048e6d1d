// Package served tells where a robot serves its page, its bus and the gRPC of its devices, as other machines dial them,
// and whether it answers there with its own certificate.
//
// Where follows from the robot's file. `waldo up --http` moves the page, and leaves a [Note] of that beside the
// certificates. Nothing here keeps state or starts a goroutine that outlives a call.
package served

import (
	"cmp"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// Kind is how a place is spoken to.
type Kind int

// The kinds of places.
const (
	Page Kind = iota // HTTP
	Bus              // NATS
	GRPC
)

// Place is one thing that a robot serves.
type Place struct {
	Kind Kind
	// Name is "page", "bus", or that of a device.
	Name string
	// Address is host:port; empty if the robot takes another port whenever it starts.
	Address string
	// Shared tells whether other machines reach it.
	Shared bool
	// Foreign tells that another program serves it, whose certificate is not the robot's: the bus at nats.url.
	Foreign bool
}

// Places returns the page, the bus, and the devices in the order of the file. http is where the page is served if that
// is not where the file says.
func Places(r *robot.Robot, http string) []Place {
	places := []Place{
		place(Page, "page", cmp.Or(http, r.Gateway.Text("http"), launch.DefaultHTTP)),
		bus(r),
	}
	for _, d := range r.Devices {
		places = append(places, place(GRPC, d.Name, d.GRPC))
	}
	return places
}

func bus(r *robot.Robot) Place {
	if r.NATS.URL == "" {
		return place(Bus, "bus", cmp.Or(r.NATS.Listen, launch.DefaultNATS))
	}
	p := Place{Kind: Bus, Name: "bus", Foreign: true, Shared: true}
	if u, err := url.Parse(r.NATS.URL); err == nil { // the file is checked where it is read
		p.Address = u.Host
	}
	return p
}

func place(kind Kind, name, listen string) Place {
	p := Place{Kind: kind, Name: name, Address: access.Reachable(listen)}
	host, port, err := net.SplitHostPort(p.Address)
	if err != nil || port == "0" {
		p.Address = ""
	}
	ip := net.ParseIP(host)
	p.Shared = host != "localhost" && (ip == nil || !ip.IsLoopback())
	return p
}

// URL is what programs of other machines are given.
func (p *Place) URL() string {
	switch p.Kind {
	case Page:
		return "https://" + p.Address + "/"
	case Bus:
		return "tls://" + p.Address
	}
	return p.Address
}

// maxNote bounds a note that is read: a name of a host, and a port.
const maxNote = 512

// Note keeps, in the folder of the certificates, that the page of a robot that runs is served at an address other than
// its file says; the empty address means that it is not.
func Note(folder, robot, http string) error {
	if http == "" {
		if err := os.Remove(noteFile(folder, robot)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return os.WriteFile(noteFile(folder, robot), []byte(http+"\n"), 0o644)
}

// Noted returns the address of the last Note; empty if there is none.
func Noted(folder, robot string) string {
	info, err := os.Stat(noteFile(folder, robot))
	if err != nil || info.Size() > maxNote {
		return ""
	}
	data, err := os.ReadFile(noteFile(folder, robot))
	if err != nil {
		return ""
	}
	address := strings.TrimSpace(string(data))
	if _, _, err := net.SplitHostPort(address); err != nil {
		return ""
	}
	return address
}

// noteFile is beside the certificates, which robots that one user runs on a machine share.
func noteFile(folder, robot string) string { return filepath.Join(folder, "page."+robot) }
