package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/descriptors"
)

// maxRequest bounds a request that is read from the standard input.
const maxRequest = 4 << 20

type callCommand struct {
	remote  `embed:""`
	Device  string `arg:"" help:"Name of the device, for example front, or demo/front."`
	Method  string `arg:"" optional:"" help:"The method: its name, or Service/Name where that is not clear. Without it the methods are listed."`
	Request string `arg:"" optional:"" help:"The request as JSON; - reads it from the standard input. Default: an empty one."`
}

// Help explains the command.
func (*callCommand) Help() string {
	return `It works with devices of every kind: waldo asks the device for the definitions of its methods. Requests and responses have the JSON mapping of
protobuf. Methods that stream are listed, but are served only over gRPC, at the device's own address. For example:

  waldo call front                                 # lists the methods
  waldo call front ListFormats
  waldo call front SetBitrate '{"bitrateBps": 500000}'`
}

// Run makes the call.
func (r *callCommand) Run(ctx context.Context, c console) error {
	return r.session(ctx, func(ctx context.Context, conn *bus.Conn) error {
		address, err := r.find(ctx, conn, r.Device)
		if err != nil {
			return err
		}
		devices := dynamic.New(conn, dynamic.Config{})
		life, err := devices.Of(ctx, address)
		if err != nil {
			return plainError(address, err)
		}
		if r.Method == "" {
			return listMethods(c.plain().out, life.Methods())
		}
		method, err := findMethod(address, life.Methods(), r.Method)
		if err != nil {
			return err
		}
		request, err := r.request()
		if err != nil {
			return err
		}
		response, err := devices.Call(ctx, dynamic.Call{Device: address, Method: method, Request: request})
		if err != nil {
			return plainError(address, err)
		}
		return printIndented(c.plain().out, response)
	})
}

// request is the JSON of the request.
func (r *callCommand) request() (json.RawMessage, error) {
	if r.Request != "-" {
		return json.RawMessage(r.Request), nil
	}
	data, err := io.ReadAll(io.LimitReader(os.Stdin, maxRequest+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the request: %w", err)
	case len(data) > maxRequest:
		return nil, fmt.Errorf("the request has more than %d bytes", maxRequest)
	}
	return bytes.TrimSpace(data), nil
}

// named tells whether a full name is meant by Method, Service/Method or package.Service/Method.
func named(full, meant string) bool {
	return full == meant || strings.HasSuffix(full, "/"+meant) || strings.HasSuffix(full, "."+meant)
}

// findMethod returns the full name of the method that is meant by Method, Service/Method or package.Service/Method.
func findMethod(a bus.Address, methods []protoreflect.MethodDescriptor, meant string) (string, error) {
	var found []string
	for _, m := range methods {
		full := descriptors.MethodName(m)
		if named(full, meant) {
			found = append(found, full)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s has no method %q: waldo call %s lists those it has", a, meant, a)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("several methods of %s are called %q: write one of %s", a, meant, strings.Join(found, ", "))
}

func listMethods(to io.Writer, methods []protoreflect.MethodDescriptor) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "METHOD\tREQUEST\tRESPONSE\t") // Flush reports errors
	for _, m := range methods {
		note := ""
		if descriptors.Streams(m) {
			note = "only over gRPC: it streams"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", descriptors.MethodName(m), m.Input().FullName(), m.Output().FullName(), note)
	}
	return w.Flush()
}

// printIndented prints JSON for people.
func printIndented(to io.Writer, data []byte) error {
	var text bytes.Buffer
	if err := json.Indent(&text, data, "", "  "); err != nil {
		return errors.New("the response is not valid JSON")
	}
	_, err := fmt.Fprintln(to, text.String())
	return err
}
