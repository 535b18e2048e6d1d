package actuator

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/audit"
)

// TestAudit: who took the lease, and who pressed and cleared the e-stop, is kept under the name of their token, which
// they cannot choose.
func TestAudit(t *testing.T) {
	folder := t.TempDir()
	path := audit.Path(folder, "r", "d")
	m := startMotorIn(t, configIn(t.TempDir()), folder)
	client := controlv1.NewControlServiceClient(m.conn.Client(m.Kit().Address()))
	anna := access.WithTokenID(access.WithUser(t.Context(), "anna"), "abcd2345")
	anna = access.WithFrom(anna, "10.0.0.7:1")
	ben := access.WithUser(t.Context(), "ben")
	first, err := client.Acquire(anna, &controlv1.AcquireRequest{Holder: "page 1"})
	if err != nil || first.GetState().GetHolder() != "anna (page 1)" {
		t.Fatalf("the holder is %q, %v", first.GetState().GetHolder(), err)
	}
	if _, err := client.Take(ben, &controlv1.TakeRequest{Holder: "anna"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.EStop(anna, &controlv1.EStopRequest{By: "ben", Reason: "smoke"}); err != nil {
		t.Fatal(err)
	}
	stopped, err := client.EStop(anna, &controlv1.EStopRequest{By: "ben", Reason: "smoke"}) // the same e-stop
	if err != nil || stopped.GetState().GetEStop().GetBy() != "anna (ben)" {
		t.Fatalf("pressed by %q, %v", stopped.GetState().GetEStop().GetBy(), err)
	}
	if _, err := client.ClearEStop(t.Context(),
		&controlv1.ClearEStopRequest{Id: stopped.GetState().GetEStop().GetId()}); err != nil {
		t.Fatal(err)
	}
	await(t, "the lease lapses", func() bool { return m.State().GetHolder() == "" })
	m.Stop()
	lease := func(n int) string { return fmt.Sprintf("%d/%d", m.Kit().Epoch(), n) }
	want := []audit.Event{
		{Kind: audit.Started, Device: "d", Reason: "waldo-motor 1.0.0"},
		{Kind: audit.LeaseAcquired, Who: "anna (page 1)", Token: "abcd2345", From: "10.0.0.7:1", Device: "d", What: lease(1)},
		{Kind: audit.LeaseTaken, Who: "ben (anna)", Device: "d", What: lease(2), Reason: "anna (page 1)"},
		{Kind: audit.EStop, Who: "anna (ben)", Token: "abcd2345", From: "10.0.0.7:1", Device: "d", Reason: "smoke"},
		{Kind: audit.EStopCleared, Who: "unknown", Device: "d"},
		{Kind: audit.LeaseEnded, Who: "ben (anna)", Device: "d", What: lease(2), Reason: "lease_lapsed"},
	}
	got := events(t, path)
	for i, e := range want {
		if i >= len(got) || got[i] != e {
			t.Fatalf("event %d: want %+v of\n%+v", i, e, got)
		}
	}
}

func events(t *testing.T, path string) (all []audit.Event) {
	t.Helper()
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		var e audit.Event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}
