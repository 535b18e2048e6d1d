package permissions_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/robot"
)

var update = flag.Bool("update", false, "write docs/bus.md")

const docs = "../../../docs/bus.md"

// intro stands before the tables.
const intro = `# Who may do what on the bus

The NATS server of ` + "`waldo up` and `waldo bus`" + ` asks who connects, and lets each connection use only the subjects that its
owner needs. This page lists them. It is made from the code that enforces it (` + "`pkg/bus/permissions`; `go test -run Docs" + `
-update .` + "`" + ` there writes it), and a test fails when it is out of date.

## Who connects

- **Processes** prove a key of their own (an nkey of NATS). ` + "`waldo up`" + ` makes one for each process with each run;
  ` + "`waldo install`" + ` makes one for each unit, ` + "`/etc/waldo/credentials/<device>.seed`" + `, and writes the public keys with the
  subjects below to ` + "`/etc/waldo/bus-keys.json`" + `, which ` + "`waldo bus --keys`" + ` follows. A process that was started otherwise takes
  a file with its key from ` + "`--bus-seed-file`" + `.
- **People and programs** present a token. The single token of a robot (` + "`WALDO_TOKEN`" + `) and a token with the role admin
  allow everything, JetStream included. A token with another role allows the rows below and nothing else: no methods of
  kinds of your own, whose roles the server does not know, and no subjects of your own. Call such methods over gRPC or
  through the gateway, where each role counts. A token that is revoked or expires ends its connections within a second.
- **Without any token** everybody on the robot's computer is an admin, as far as the bus goes. A process that was taken
  over is confined only if there is a token: it could otherwise connect a second time without its key.

Devices get the SHA-256 of the token, not the token: with it they could do everything. Kinds of one's own that do not say
what they need are the exception, see below.

## Answers

Everybody receives answers under a prefix of their own, ` + "`_INBOX.<public key or id of the token>.>`" + `, which nobody else may
subscribe. Nobody may publish there either: who is called may answer that call, for 70 s, and nothing else. Requests on
subjects of your own are answered in the same way, by processes and programs that may subscribe these: admins, and kinds
that are not confined.

## A kind of your own

A device of a kind that does not belong to Waldo is not confined: Waldo does not know what it needs, so it connects with
the token, which allows everything, and ` + "`waldo up` and `waldo doctor`" + ` say so. The key ` + "`may:`" + ` gives it a key of its own,
the rows of "every device", and what it names:

` + "```yaml" + `
devices:
  follower:
    kind: follower
    may:
      read: [front/video-jpeg, lidar]   # streams of others; without a stream all of a device
      call: [motors]                    # methods of others: Waldo's as far as a driver may, and all of your own kinds
      write: [voice/speaker]            # streams that others accept
      topics: [chat]                    # messages, both ways
  thermometer: {kind: thermometer, may: {}} # nothing of others
` + "```" + `

Devices of Waldo's own kinds take ` + "`may:`" + ` as well, in addition to what they need anyway. A recorder records streams and
states of your own kinds without it, and with ` + "`may: {call: [thermometer]}`" + ` also what that device answers to methods that
only tell, so that a replay answers the same.

## What is refused

The process that was refused logs it once for each subject, with what to do, and counts it (` + "`waldo_bus_refused_total`" + `); a
call fails at once with PERMISSION_DENIED. The server logs each refusal once with the name of who tried.
`

// example has a device for each kind that reads what others produce.
const example = `
robot: robot
devices:
  camera: {kind: camera, source: sim, follow: board}
  board: {kind: serial, control: {safe: {x: 0}, see: camera}}
  dome: {kind: rtsp-ingest, ptz: {onvif: "http://10.0.0.7", see: camera}}
  guest: {kind: peer, call: "http://10.0.0.8/connect", topic: topic}
  uplink: {kind: uplink}
  player: {kind: player}
  recorder: {kind: recorder}
  rear: {kind: replay}
  voice: {kind: audio}
`

// table writes rules as a table, those with the same reason in one row.
func table(b *strings.Builder, rules []permissions.Rule) {
	b.WriteString("\n| may | subject | why |\n| --- | --- | --- |\n")
	for i := 0; i < len(rules); {
		same := i + 1
		for same < len(rules) && rules[same].Action == rules[i].Action && rules[same].Why == rules[i].Why {
			same++
		}
		var subjects []string
		for _, r := range rules[i:same] {
			subjects = append(subjects, "`"+strings.NewReplacer("waldo.v1.robot.", "waldo.v1.<robot>.", "|", `\|`).
				Replace(r.Subject)+"`")
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", rules[i].Action, strings.Join(subjects, "<br>"), rules[i].Why)
		i = same
	}
}

// without returns the rules that are not in another list.
func without(rules, others []permissions.Rule) []permissions.Rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r permissions.Rule) bool {
		return slices.ContainsFunc(others,
			func(o permissions.Rule) bool { return o.Action == r.Action && o.Subject == r.Subject })
	})
}

// render returns the whole page.
func render(t *testing.T) string {
	t.Helper()
	r, err := robot.Parse("r", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(intro)
	b.WriteString("\n## Processes\n\n### Every device\n")
	var every strings.Builder
	table(&every, permissions.Slot("robot", "device", "kind"))
	b.WriteString(strings.NewReplacer(".device.", ".<device>.", "waldo-kind", "waldo-<kind>").Replace(every.String()))
	for _, d := range []struct{ name, title string }{
		{"camera", "A simulated camera also (`source: sim`)"}, {"board", "An actuator also (`see:`), for example a board"},
		{"guest", "A slot of the kind peer also, if it calls a robot (`call:`)"}, {"uplink", "An uplink to a hub also"},
		{"recorder", "A recorder also"}, {"player", "A player of a recording also"}, {"rear", "A device of a recording also"},
	} {
		one, err := r.Device(d.name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n### %s\n", d.title)
		table(&b, without(permissions.Device(r, one), permissions.Slot("robot", d.name, one.Kind)))
	}
	b.WriteString("\n### The gateway\n\nIt asks each visitor's token what its owner may do, and does no more for them.\n")
	table(&b, permissions.Gateway("robot"))
	b.WriteString("\n### The launcher, or the bus where units run\n")
	table(&b, permissions.Launcher("robot"))
	b.WriteString("\n## Roles\n\nAn admin may do everything.\n")
	for _, role := range []roles.Role{roles.Viewer, roles.Driver, roles.Operator, roles.Service} {
		device := ""
		if role == roles.Service {
			device = "device"
		}
		fmt.Fprintf(&b, "\n### %s%s\n", strings.ToUpper(role.String()[:1]), role.String()[1:])
		var one strings.Builder
		table(&one, permissions.Role(role, "robot", device))
		b.WriteString(strings.ReplaceAll(one.String(), ".device.", ".<device>."))
	}
	return b.String()
}

// TestDocs: the page says what the code does.
func TestDocs(t *testing.T) {
	want := strings.ReplaceAll(render(t), "waldo.<device>.v1", "waldo.device.v1")
	if *update {
		if err := os.WriteFile(docs, []byte(want), 0o644); err != nil { // a page for everybody
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docs)
	if err != nil || string(got) != want {
		t.Errorf("docs/bus.md is not what the code says (%v): run go test -run Docs -update . here", err)
	}
}
