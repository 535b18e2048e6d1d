package units

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
)

// credentials returns the content of the files that units get.
func credentials(t *testing.T, i *Installation) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range tree(t, i.host(credentialFolder)) {
		path := filepath.Join(i.host(credentialFolder), file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[file] = strings.TrimSpace(string(text))
		for private, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
			if info, err := os.Stat(private); err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v", private, info.Mode(), err)
			}
		}
	}
	return found
}

// TestKeys: units have keys that stay, devices cannot learn the token, and the bus learns what each may do.
func TestKeys(t *testing.T) {
	const token = "sixteen-or-more!"
	i := newSystem(t)
	with := strings.Replace(rover, "devices:", "devices:\n  eye: {kind: lidar}\n  ear: {kind: lidar, may: {}}", 1)
	install(t, i, with)
	first := credentials(t, i)
	if len(first) != 4 || first["eye.seed"] != "" {
		t.Fatalf("there are %v", first)
	}
	known, err := permissions.ReadKeys(i.host(keysFile))
	if err != nil || len(known) != 4 {
		t.Fatalf("the bus knows %v, %v", known, err)
	}
	for _, name := range []string{"front", "motors", "ear", "gateway"} {
		seed, err := keys.Parse([]byte(first[name+".seed"]))
		if err != nil || known[seed.Public()].Name != "rover/"+name {
			t.Errorf("%s: %v, %v", name, known[seed.Public()], err)
		}
	}
	write(t, i.host(TokenFile), token+"\n", 0o600)
	changes := install(t, i, with)
	if want := []string{"bus", "ear", "eye", "front", "gateway", "motors"}; !slices.Equal(changes.Changed, want) {
		t.Errorf("with a token, %v start again", changes.Changed)
	}
	second := credentials(t, i)
	for name, text := range second {
		if strings.HasSuffix(name, ".token") != (first[name] == "") || first[name] != "" && first[name] != text {
			t.Errorf("%s was %q and is %q", name, first[name], text)
		}
		if name != "eye.token" && strings.Contains(text, token) {
			t.Errorf("%s has the token", name)
		}
	}
	if second["eye.token"] != token || !strings.HasPrefix(second["front.token"], "sha256:") {
		t.Errorf("devices get %v", second)
	}
	if again := install(t, i, with); !reflect.DeepEqual(again, Changes{}) ||
		!reflect.DeepEqual(credentials(t, i), second) {
		t.Errorf("done again, it changes %v", again)
	}
	install(t, i, rover+"nats: {url: \"nats://10.0.0.2\"}\n")
	if left := credentials(t, i); len(left) != 2 || left["front.token"] != token {
		t.Errorf("with another bus there are %v", left)
	}
	if _, err := i.Remove(); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{credentialFolder, keysFile} {
		if _, err := os.Stat(i.host(gone)); err == nil {
			t.Errorf("%s is left", gone)
		}
	}
}

// TestBrokenSeed: a file that is no seed, or that others could read, is replaced.
func TestBrokenSeed(t *testing.T) {
	i := newSystem(t)
	install(t, i, rover)
	before := credentials(t, i)
	write(t, i.host(credentialFolder+"/front.seed"), "", 0o600)
	if err := os.Chmod(i.host(credentialFolder+"/motors.seed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if changes := install(t, i, rover); !slices.Equal(changes.Changed, []string{"front", "motors"}) {
		t.Errorf("%v start again", changes.Changed)
	}
	after := credentials(t, i)
	if after["front.seed"] == "" || after["motors.seed"] == before["motors.seed"] ||
		after["gateway.seed"] != before["gateway.seed"] {
		t.Errorf("before %v, after %v", before, after)
	}
}
