package installtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// The compose file and the Kubernetes manifest start the hub and the gateway with arguments and a hub.yaml that those
// accept, with the files where they are mounted.
func TestCloud(t *testing.T) {
	m := newMachine(t, 1000)
	m.install("waldo", "waldo-gateway")
	cloudFiles(m)
	variables := strings.NewReplacer("${HOST}", "hub.example.org", "${PUBLIC_IP:?the address of this machine that browsers reach}",
		"203.0.113.7")
	for file, commands := range map[string]map[string][]string{
		"compose.yaml": composed(t), "kubernetes.yaml": deployed(t)} {
		for _, name := range []string{"hub", "gateway"} {
			arguments := append([]string{map[string]string{"hub": "waldo", "gateway": "waldo-gateway"}[name]}, commands[name]...)
			for i, argument := range arguments {
				arguments[i] = variables.Replace(argument)
			}
			if len(commands[name]) == 0 {
				t.Fatalf("%s does not start %s", file, name)
			}
			if out, err := m.try(arguments[0], append(arguments[1:], "--check")...); err != nil {
				t.Errorf("%s: %q: %v\n%s", file, arguments, err, out)
			}
		}
	}
}

// composed returns the command of each service of the compose file.
func composed(t *testing.T) map[string][]string {
	t.Helper()
	var file struct {
		Services map[string]struct{ Command []string }
	}
	if err := yaml.Unmarshal(cloudFile(t, "compose.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	commands := map[string][]string{}
	for name, service := range file.Services {
		commands[name] = service.Command
	}
	return commands
}

// deployed returns the arguments of each container of the Kubernetes manifest.
func deployed(t *testing.T) map[string][]string {
	t.Helper()
	type container struct {
		Name string
		Args []string
	}
	commands := map[string][]string{}
	for decoder := yaml.NewDecoder(bytes.NewReader(cloudFile(t, "kubernetes.yaml"))); ; {
		var object struct {
			Spec struct {
				Template struct {
					Spec struct{ Containers []container }
				}
			}
		}
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return commands
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range object.Spec.Template.Spec.Containers {
			commands[c.Name] = c.Args
		}
	}
}

func cloudFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../images/cloud", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// cloudFiles puts a certificate, keys, a token and the hub.yaml of the example where the containers have them.
func cloudFiles(m *machine) {
	m.t.Helper()
	m.run("mkdir", "-p", "/run/secrets/tls", "/run/secrets/gateway")
	certificate, key := selfSigned(m)
	text := string(cloudFile(m.t, "hub.yaml"))
	for name, placeholder := range map[string]string{"/rover.seed": "UROVER", "/run/secrets/bus.seed": "UGATEWAY"} {
		text = strings.ReplaceAll(text, placeholder, strings.TrimSpace(m.run("waldo", "hub", "key", name)))
	}
	for name, content := range map[string]string{"etc/waldo/hub.yaml": text, "run/secrets/tls.crt": certificate,
		"run/secrets/tls.key": key, "run/secrets/token": m.run("waldo", "token")} {
		if err := os.WriteFile(m.path(name), []byte(content), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	m.run("sh", "-c", "cp /run/secrets/tls.* /run/secrets/tls; cp /run/secrets/bus.seed /run/secrets/token /run/secrets/gateway")
}

// selfSigned returns a certificate of hub.example.org, and its key, as PEM.
func selfSigned(m *machine) (certificate, key string) {
	m.t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"hub.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		m.t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}
