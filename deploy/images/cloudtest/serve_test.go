package cloudtest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// user is the number of the images' user, and of its group.
const user = 65532

// The hub and the gateway serve as the compose file says, with files as Docker Compose mounts them.
func TestComposeServes(t *testing.T) {
	files := made(t)
	folder := t.TempDir()
	put(t, folder, 0, 0o644, map[string]string{"hub.yaml": files["hub.yaml"]})
	secrets := filepath.Join(folder, "secrets")
	put(t, secrets, user, 0o400, without(files, "hub.yaml"))
	state := t.TempDir()
	owned(t, state, user, 0o750) // what Docker copies from the image
	services, err := composed(t, folder, variables())
	if err != nil {
		t.Fatal(err)
	}
	gateway := services["gateway"]
	for i, m := range gateway.mounts {
		if m.source == "state" {
			gateway.mounts[i].source = state
		}
	}
	serve(t, services["hub"], gateway, files, func(hub string) {
		if err := os.WriteFile(filepath.Join(folder, "hub.yaml"), []byte(hub), 0o600); err != nil {
			t.Fatal(err)
		}
	})
}

// They serve as the Kubernetes manifest says, with files as the kubelet mounts them: links to a folder of the version,
// of the group of the pod.
func TestKubernetesServes(t *testing.T) {
	files := made(t)
	folder := t.TempDir()
	project := func(name, version string, mode os.FileMode, names ...string) {
		top := filepath.Join(folder, name)
		put(t, filepath.Join(top, version), 0, mode, only(files, names...))
		if err := os.Symlink(version, filepath.Join(top, "..new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(top, "..new"), filepath.Join(top, "..data")); err != nil {
			t.Fatal(err)
		}
		for _, file := range names {
			_ = os.Symlink("..data/"+file, filepath.Join(top, file)) // there since the first version
		}
	}
	project("config-hub", "..1", 0o644, "hub.yaml")
	project("secret-tls", "..1", 0o440, "tls.crt", "tls.key")
	project("secret-gateway", "..1", 0o440, "bus.seed", "token")
	claim := filepath.Join(folder, "claim-gateway")
	if err := os.Mkdir(claim, 0o700); err != nil {
		t.Fatal(err)
	}
	owned(t, claim, 0, 0o770|os.ModeSetgid)
	w := deployed(t, folder)
	serve(t, w["hub"], w["gateway"], files, func(hub string) {
		files["hub.yaml"] = hub
		project("config-hub", "..2", 0o644, "hub.yaml")
	})
}

// serve runs the hub and the gateway, and checks what people see: that they answer their probes as nobody in
// particular, that the gateway is at the hub and lists robots to those who have the token, that the hub learns of
// another robot when its file changes, and that the gateway outlives a hub that goes and returns.
func serve(t *testing.T, hub, gateway workload, files map[string]string, change func(hub string)) {
	t.Helper()
	etc := t.TempDir()
	put(t, etc, 0, 0o644,
		map[string]string{"hosts": "127.0.0.1 localhost " + hubName + "\n", "authorities": files["tls.crt"]})
	around := []mount{{etc + "/hosts", "/etc/hosts", true},
		// The test's certificate in place of one by a public authority.
		{etc + "/authorities", "/etc/ssl/certs/ca-certificates.crt", true}}
	client := client(t, files["tls.crt"])

	h := run(t, hub, around...)
	h.eventually("the hub's probes answered", func() bool { return answered(hub.ports) })
	g := run(t, gateway, around...)
	g.eventually("the gateway's probes answered", func() bool { return answered(gateway.ports[:1]) })
	connected := func() bool { return strings.Contains(get(client, "/healthz", ""), `"ok"`) }
	g.eventually("the gateway at the hub", connected)
	h.checkConfined()
	g.checkConfined()
	if list := get(client, "/robots", ""); !strings.HasPrefix(list, "401") {
		t.Errorf("without a token the list is %s", list)
	}
	var list struct{ Robots []json.RawMessage }
	if text := get(client, "/robots", files["token"]); json.Unmarshal([]byte(strings.TrimPrefix(text, "200 ")),
		&list) != nil {
		t.Errorf("the list of robots is %s", text)
	}

	change(strings.Replace(files["hub.yaml"], "robots:\n", "robots:\n  arm: {key: "+files["arm.key"]+"}\n", 1))
	h.eventually("another robot known", func() bool { return strings.Contains(h.said.text(), "the file was read again") })

	h.stop()
	g.eventually("a hub that is missed", func() bool { return !connected() })
	if !answered(gateway.ports[:1]) {
		t.Error("while the hub is away the gateway does not answer its probes")
	}
	h = run(t, hub, around...)
	g.eventually("the gateway at the hub again", connected)
	g.stop()
	h.stop()
}

// made makes the files that README.md of the images describes: a certificate, the gateway's key, a token, and hub.yaml
// with its keys. arm.key is the public key of another robot.
func made(t *testing.T) map[string]string {
	t.Helper()
	program := filepath.Join(unpack(t, "waldo"), "rootfs/usr/bin/waldo")
	folder := t.TempDir()
	key := func(name string) string {
		return strings.TrimSpace(command(t, program, "hub", "key", filepath.Join(folder, name)))
	}
	files := map[string]string{"token": strings.TrimSpace(command(t, program, "token")), "arm.key": key("arm.seed")}
	files["hub.yaml"] = strings.NewReplacer("UROVER", key("rover.seed"), "UGATEWAY", key("bus.seed")).Replace(
		string(read(t, cloudFile("hub.yaml"))))
	files["bus.seed"] = string(read(t, filepath.Join(folder, "bus.seed")))
	files["tls.crt"], files["tls.key"] = certificate(t)
	return files
}

// certificate returns a certificate of the hub's name that vouches for itself, and its key, as PEM.
func certificate(t *testing.T) (public, secret string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{hubName}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

// put writes files into a folder that may not exist. They and their group are a user's; the owner is root if the group
// may read them.
func put(t *testing.T, folder string, owner int, mode os.FileMode, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		owned(t, path, owner, mode)
	}
}

func owned(t *testing.T, path string, owner int, mode os.FileMode) {
	t.Helper()
	if err := os.Chown(path, owner, user); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func only(files map[string]string, names ...string) map[string]string {
	found := map[string]string{}
	for _, name := range names {
		found[name] = files[name]
	}
	return found
}

func without(files map[string]string, name string) map[string]string {
	found := map[string]string{}
	for other, content := range files {
		if other != name {
			found[other] = content
		}
	}
	return found
}

// answered tells whether all ports take connections.
func answered(ports []int) bool {
	for _, port := range ports {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err != nil {
			return false
		}
		_ = conn.Close()
	}
	return true
}

// client returns a client that knows the certificate, and takes this machine for the hub.
func client(t *testing.T, certificate string) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(certificate))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: hubName}, DisableKeepAlives: true}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// get asks the gateway, and returns status and body of the answer, or the error.
func get(client *http.Client, path, token string) string {
	request, err := http.NewRequest(http.MethodGet, "https://127.0.0.1:8443"+path, nil)
	if err != nil {
		return err.Error()
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}
