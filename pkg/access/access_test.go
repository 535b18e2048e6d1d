package access_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
)

const strong = "sixteen-or-more!"

// addresses feed TestAddress and the seeds of FuzzAddress. An empty want means an error that holds the text of fails.
var addresses = []struct {
	configured, token string
	want              string
	narrowed          bool
	fails             string
}{
	{"127.0.0.1:8080", "", "127.0.0.1:8080", false, ""},
	{"127.9.9.9:0", "", "127.9.9.9:0", false, ""},
	{"[::1]:8080", "", "[::1]:8080", false, ""},
	{"localhost:8080", "", "localhost:8080", false, ""},
	{":8080", "", "127.0.0.1:8080", true, ""},
	{":8080", strong, ":8080", false, ""},
	{"192.168.1.5:8080", strong, "192.168.1.5:8080", false, ""},
	{":8080", "secret", "", false, "waldo token"},
	{":8080", strong[1:], "", false, "at least 16"},
	{"[::]:8080", "secret", "", false, "6 characters can be guessed"},
	{"127.0.0.1:8080", "secret", "127.0.0.1:8080", false, ""},
	{"0.0.0.0:8080", "", "", false, "set a token"},
	{"[::]:8080", "", "", false, "set a token"},
	{"192.168.1.5:8080", "", "", false, "listen on 127.0.0.1"},
	{"robot.example:8080", "", "", false, "set a token"},
	{"localhost.example:8080", "", "", false, "set a token"},
	{"8080", "", "", false, "not host:port"},
	{"", "", "", false, "not host:port"},
	{"::1:8080", "secret", "", false, "not host:port"},
	{"127.0.0.1:http", "", "", false, "use a number"},
	{"127.0.0.1:", "", "", false, "use a number"},
	{"127.0.0.1:65536", "secret", "", false, "65535"},
	{"127.0.0.1:-1", "", "", false, "use a number"},
}

func TestAddress(t *testing.T) {
	for _, tt := range addresses {
		got, narrowed, err := access.Address(tt.configured, tt.token)
		if got != tt.want || narrowed != tt.narrowed || !matches(err, tt.fails) {
			t.Errorf("Address(%q, %q) = %q, %v, %v", tt.configured, tt.token, got, narrowed, err)
		}
	}
}

// FuzzAddress checks that without a token nothing but loopback comes out.
func FuzzAddress(f *testing.F) {
	for _, tt := range addresses {
		f.Add(tt.configured)
	}
	f.Fuzz(func(t *testing.T, configured string) {
		for _, listen := range []func() (string, error){
			func() (string, error) { a, _, err := access.Address(configured, ""); return a, err },
			func() (string, error) { return access.Loopback(configured) },
		} {
			address, err := listen()
			if err != nil {
				continue
			}
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatalf("%q became %q: %v", configured, address, err)
			}
			if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
				t.Fatalf("%q became %q, which others can reach", configured, address)
			}
		}
	})
}

func TestLoopback(t *testing.T) {
	for _, tt := range []struct{ configured, want, fails string }{
		{"127.0.0.1:9090", "127.0.0.1:9090", ""},
		{":9090", "127.0.0.1:9090", ""},
		{"0.0.0.0:9090", "", "listen on 127.0.0.1"},
		{"9090", "", "not host:port"},
	} {
		got, err := access.Loopback(tt.configured)
		if got != tt.want || !matches(err, tt.fails) {
			t.Errorf("Loopback(%q) = %q, %v", tt.configured, got, err)
		}
	}
}

func TestCheckToken(t *testing.T) {
	for token, good := range map[string]bool{
		"": true, "s3cret!~": true, "two words": false, "line\n": false, "schlüssel": false, "\x7f": false,
	} {
		if err := access.CheckToken(token); (err == nil) != good {
			t.Errorf("CheckToken(%q) = %v", token, err)
		}
	}
}

func TestAllowed(t *testing.T) {
	for _, tt := range []struct {
		token, header string
		want          bool
	}{
		{"secret", "Bearer secret", true},
		{"secret", "bearer  secret ", true},
		{"secret", "Bearer wrong", false},
		{"secret", "Bearer secre", false},
		{"secret", "Bearer secrets", false},
		{"secret", "Basic secret", false},
		{"secret", "secret", false},
		{"secret", "Bearer", false},
		{"secret", "", false},
	} {
		if got := access.Allowed(tt.token, access.Bearer(tt.header)); got != tt.want {
			t.Errorf("token %q, header %q: %v", tt.token, tt.header, got)
		}
	}
}

// matches tells whether err holds a text, or is nil if the text is empty.
func matches(err error, text string) bool {
	if err == nil || text == "" {
		return err == nil && text == ""
	}
	return strings.Contains(err.Error(), text)
}

func ExampleAddress() {
	address, narrowed, _ := access.Address(":8080", "")
	fmt.Println(address, narrowed)

	_, _, err := access.Address("0.0.0.0:8080", "")
	fmt.Println(err)

	address, narrowed, _ = access.Address("0.0.0.0:8080", "QYX7DZSJ2EWLTF5PAUZM3N6CKA")
	fmt.Println(address, narrowed)
	// Output:
	// 127.0.0.1:8080 true
	// "0.0.0.0:8080" can be reached from other machines: set a token (waldo token makes one), or listen on 127.0.0.1
	// 0.0.0.0:8080 false
}

func ExampleBearer() {
	fmt.Println(access.Allowed("s3cret", access.Bearer("Bearer s3cret")))
	fmt.Println(access.Allowed("s3cret", access.Bearer("Basic s3cret")))
	// Output:
	// true
	// false
}
