package server

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accessv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/access/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/ingest/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/insta360/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/ptz/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
)

// update writes the table: go test ./server -run TestRolesDocument -update.
var update = flag.Bool("update", false, "write docs/roles.md")

const (
	rolesDocument = "../../../docs/roles.md"
	protoFolder   = "../../../api/proto"
)

// TestRolesDocument: the table in docs/roles.md says what the code does.
func TestRolesDocument(t *testing.T) {
	var text strings.Builder
	writeRoles(&text)
	if *update {
		if err := os.WriteFile(rolesDocument, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(rolesDocument)
	if err != nil || string(got) != text.String() {
		t.Errorf("docs/roles.md is out of date: go test ./server -run TestRolesDocument -update (%v)", err)
	}
}

// TestAllMethodsSayWhatTheyNeed: none of Waldo's own is left to the default, and none was forgotten in the table.
func TestAllMethodsSayWhatTheyNeed(t *testing.T) {
	known := map[string]bool{}
	for _, s := range services() {
		known[string(s.FullName())] = true
		for i := range s.Methods().Len() {
			if m := s.Methods().Get(i); !proto.HasExtension(m.Options(), accessv1.E_Role) {
				t.Errorf("%s has no role: give it the option waldo.access.v1.role", m.FullName())
			}
		}
	}
	files := os.DirFS(protoFolder)
	folders, err := os.ReadDir(protoFolder + "/waldo")
	if err != nil || len(folders) == 0 {
		t.Fatal(err)
	}
	for _, folder := range folders {
		all, err := os.ReadDir(protoFolder + "/waldo/" + folder.Name() + "/v1")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range all {
			path := "waldo/" + folder.Name() + "/v1/" + file.Name()
			f, err := files.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(f)
			if err != nil || f.Close() != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(data)) {
				name, ok := strings.CutPrefix(line, "service ")
				name, _, _ = strings.Cut(name, " ")
				if full := "waldo." + folder.Name() + ".v1." + name; ok && !known[full] {
					t.Errorf("%s is not in the table: import it in this test", full)
				}
			}
		}
	}
}

// services lists the services of Waldo that are linked, sorted by name.
func services() []protoreflect.ServiceDescriptor {
	found := map[string]protoreflect.ServiceDescriptor{}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			if s := f.Services().Get(i); strings.HasPrefix(string(s.FullName()), "waldo.") {
				found[string(s.FullName())] = s
			}
		}
		return true
	})
	all := make([]protoreflect.ServiceDescriptor, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[name])
	}
	return all
}

// writeRoles writes the document.
func writeRoles(to io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(to, format+"\n", args...) }
	say("# Roles\n\n<!-- Generated from the code, in services/webrtc-gateway: " +
		"go test ./server -run TestRolesDocument -update -->\n")
	say("`waldo token create NAME --role ROLE` makes a token. A role may do what the ones before it may:\n")
	say("| role | may |\n| --- | --- |")
	say("| viewer | see, hear, read streams and states, and press an e-stop |")
	say("| driver | drive, write to devices, talk, send pictures and messages |")
	say("| operator | take a lease from its holder, and clear an e-stop |")
	say("| admin | change settings and restart processes |")
	say("| service | do at one device what a driver does, and nothing elsewhere |\n")
	say("Whoever has the shared token (`WALDO_TOKEN`) is an admin, and so is everybody on the same machine where there is no")
	say("token at all. The rules are the same over gRPC and through the gateway. The bus allows the methods below by " +
		"role, and")
	say("subjects as [bus.md](bus.md) lists them.\n")
	say("## Methods\n")
	say("Methods of your own devices need a driver, or a viewer if only their responses are a stream; the option")
	say("`waldo.access.v1.role` says otherwise. gRPC's health and reflection services need a viewer. The server of the " +
		"bus does")
	say("not know your definitions, and a device cannot tell who calls it there, so over the bus only admins call " +
		"methods of")
	say("your own devices, and devices that have them under `may: {call: …}`. `waldo call` uses the bus.\n")
	say("| method | role |\n| --- | --- |")
	for _, s := range services() {
		for i := range s.Methods().Len() {
			m := s.Methods().Get(i)
			say("| `%s/%s` | %v |", s.FullName(), m.Name(), roles.Needed(m))
		}
	}
	say("\n## Streams, channels and media sections\n")
	say("| what | role |\n| --- | --- |")
	say("| read a stream of a device: gRPC, `waldo.stream/…`, `waldo.lines/…` | %v |", roles.ReadStream)
	say("| a media section that shows a camera or plays a microphone | %v |", roles.ReadStream)
	say("| a media section that talks through a speaker, or sends to a device | %v |", roles.WriteStream)
	say("| `waldo.calls`, `waldo.session` | that of each call |")
	say("| read a topic | %v |", roles.ReadTopic)
	say("| write to a topic | %v |", roles.WriteTopic)
	say("\nWho may only read a topic is told so on its data channel when they write: once, `{\"error\": {\"code\":")
	say("\"PERMISSION_DENIED\", …}}`, which is the event `refused` of a channel of waldo.js. What they wrote is dropped " +
		"and counted.")
	say("\n## Routes of the gateway\n")
	say("| route | role | |\n| --- | --- | --- |")
	for _, r := range Routes() {
		need := r.Need.String()
		if r.Need == roles.None {
			need = "anybody"
		}
		say("| `%s` | %s | %s |", r.Pattern, need, r.Note)
	}
}
