// Image makes a container image of a program, as an OCI image layout:
//
//	image -name waldo-gateway -version 1.2.3 -created 1700000000 -port 8080/tcp -out folder amd64=program arm64=program
//
// See package ociimage for what is in it.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/deploy/images/ociimage"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run() error {
	d := ociimage.Description{Licence: "Apache-2.0", Programs: map[string]string{}}
	flag.StringVar(&d.Name, "name", "", "name of the program, and of the image")
	flag.StringVar(&d.Version, "version", "", "its version, and the image's tag")
	flag.StringVar(&d.Certificates, "certificates", "/etc/ssl/certs/ca-certificates.crt", "public authorities, as PEM")
	created := flag.Int64("created", 0, "time that everything in the image bears, in seconds of Unix")
	flag.Func("port", "port that the program listens at, as 7100/udp; may be given several times",
		func(port string) error {
			d.Ports = append(d.Ports, port)
			return nil
		})
	flag.Func("argument", "what the program gets by default; may be given several times", func(argument string) error {
		d.Arguments = append(d.Arguments, argument)
		return nil
	})
	out := flag.String("out", "", "folder to make; it must not exist")
	flag.Parse()
	for _, program := range flag.Args() {
		arch, path, found := strings.Cut(program, "=")
		if !found {
			return fmt.Errorf("%q: give each program as ARCHITECTURE=PATH", program)
		}
		d.Programs[arch] = path
	}
	if d.Name == "" || d.Version == "" || *out == "" || len(d.Programs) == 0 {
		return fmt.Errorf("-name, -version, -out and at least one program are needed")
	}
	if _, err := os.Lstat(*out); err == nil {
		return fmt.Errorf("%s exists already: remove it first", *out)
	}
	d.Created = time.Unix(*created, 0)
	return ociimage.Write(*out, d)
}
