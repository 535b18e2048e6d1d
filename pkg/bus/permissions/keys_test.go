package permissions_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
)

const public = "UBGVGPKY2AMMMHRQDYBTOMEJ7V2GRYBNDXUY73XQ4GQKWQ6RAFCDNTRC"

// publicKey returns one that is valid.
func publicKey(t testing.TB) string {
	t.Helper()
	s, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	return s.Public()
}

func TestKeysRoundTrip(t *testing.T) {
	r := rover(t)
	known := permissions.Keys{
		publicKey(t): {Name: "rover/gateway", Permissions: permissions.Of(permissions.Gateway("rover"), false)},
		publicKey(t): {Name: "anything", Permissions: permissions.Permissions{All: true}},
	}
	for i := range r.Devices {
		d := &r.Devices[i]
		known[publicKey(t)] = permissions.Holder{Name: "rover/" + d.Name,
			Permissions: permissions.Of(permissions.Device(r, d), true)}
	}
	data, err := known.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bus-keys.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := permissions.ReadKeys(path); err != nil || !reflect.DeepEqual(got, known) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := permissions.ReadKeys(path + "x"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
}

// files feed TestParseKeys and the seeds of FuzzParseKeys. An empty text is for those that are good.
func files(t testing.TB) map[string]string {
	key := publicKey(t)
	one := func(holder string) string { return `{"keys": {"` + key + `": ` + holder + `}}` }
	return map[string]string{
		`{}`:                              "",
		`{"keys": {}}`:                    "",
		one(`{"name": "a"}`):              "",
		one(`{"name": "a", "all": true}`): "",
		one(`{"name": "a/b", "publish": ["a.b", "$SRV.*.x.>", ">"], "refuse": ["a.*"], "subscribe": ["*"], "answer": true}`): "",
		``:                                    "is not a file of keys",
		`[]`:                                  "is not a file of keys",
		`{"keys": 7}`:                         "is not a file of keys",
		`{"keys": {}} {}`:                     "something follows",
		`{"key": {}}`:                         "unknown field",
		one(`{"name": "a", "deny": ["x"]}`):   "unknown field",
		one(`{}`):                             "name",
		one(`{"name": "a\nb"}`):               "name",
		one(`{"name": "a", "publish": [""]}`): `publish: "" is not a subject`,
		one(`{"name": "a", "publish": ["a..b"]}`):                               "is not a subject",
		one(`{"name": "a", "refuse": ["a b"]}`):                                 "refuse",
		one(`{"name": "a", "subscribe": ["a.>.b"]}`):                            "subscribe",
		one(`{"name": "a", "subscribe": ["` + strings.Repeat("a", 513) + `"]}`): "is not a subject",
		`{"keys": {"UABC": {"name": "a"}}}`:                                     "is not a public key",
		// its checksum is wrong
		`{"keys": {"` + public + `": {"name": "a"}}}`:   "is not a public key",
		`{"keys": {"S` + key[1:] + `": {"name": "a"}}}`: "is not a public key",
	}
}

func TestParseKeys(t *testing.T) {
	for text, want := range files(t) {
		_, err := permissions.ParseKeys([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v does not tell %q", text, err, want)
		}
	}
	if _, err := permissions.ParseKeys(make([]byte, 9<<20)); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a large file: %v", err)
	}
}

func FuzzParseKeys(f *testing.F) {
	for text := range files(f) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		known, err := permissions.ParseKeys(data)
		if err != nil {
			return
		}
		again, err := known.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := permissions.ParseKeys(again); err != nil || len(got) != len(known) {
			t.Errorf("%s became %s: %v", data, again, err)
		}
	})
}
