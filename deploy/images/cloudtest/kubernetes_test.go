package cloudtest_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// manifest is what the Kubernetes manifest describes.
type manifest struct {
	deployments map[string]*appsv1.Deployment
	services    map[string]*corev1.Service
	claims      map[string]*corev1.PersistentVolumeClaim
}

// decoded decodes the manifest with Kubernetes' own types. An unknown or repeated field is an error, as it is to
// kubectl apply --validate=strict.
func decoded(t *testing.T, text []byte) (manifest, error) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	m := manifest{map[string]*appsv1.Deployment{}, map[string]*corev1.Service{},
		map[string]*corev1.PersistentVolumeClaim{}}
	for documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return m, err
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return m, err
		}
		switch o := object.(type) {
		case *appsv1.Deployment:
			m.deployments[o.Name] = o
		case *corev1.Service:
			m.services[o.Name] = o
		case *corev1.PersistentVolumeClaim:
			m.claims[o.Name] = o
		}
	}
}

// deployed returns the containers of the manifest. What they mount is below a folder: claim-NAME, config-NAME,
// secret-NAME.
func deployed(t *testing.T, folder string) map[string]workload {
	t.Helper()
	text := strings.NewReplacer("VERSION", imageTag, "REGISTRY", "registry.example.org").Replace(
		string(read(t, cloudFile("kubernetes.yaml"))))
	m, err := decoded(t, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]workload{}
	for name, deployment := range m.deployments {
		pod := deployment.Spec.Template.Spec
		c := pod.Containers[0]
		w := workload{image: strings.TrimSuffix(strings.TrimPrefix(c.Image, "registry.example.org/"), ":"+imageTag),
			arguments: c.Args, readOnly: *c.SecurityContext.ReadOnlyRootFilesystem,
			confined: !*c.SecurityContext.AllowPrivilegeEscalation &&
				slices.Contains(c.SecurityContext.Capabilities.Drop, "ALL") &&
				*pod.SecurityContext.RunAsNonRoot && *pod.SecurityContext.RunAsUser == 65532}
		for _, volume := range c.VolumeMounts {
			w.mounts = append(w.mounts,
				mount{filepath.Join(folder, source(t, pod, volume.Name)), volume.MountPath, volume.ReadOnly})
		}
		for _, probe := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe} {
			w.ports = append(w.ports, probed(t, c, probe))
		}
		found[name] = w
	}
	return found
}

// source names what a volume of a pod mounts.
func source(t *testing.T, pod corev1.PodSpec, name string) string {
	t.Helper()
	for _, v := range pod.Volumes {
		switch {
		case v.Name != name:
		case v.PersistentVolumeClaim != nil:
			return "claim-" + v.PersistentVolumeClaim.ClaimName
		case v.ConfigMap != nil:
			return "config-" + v.ConfigMap.Name
		case v.Secret != nil:
			if mode := v.Secret.DefaultMode; mode == nil || *mode != 0o440 {
				t.Errorf("the secret %s is readable by more than its group: %v", name, mode)
			}
			return "secret-" + v.Secret.SecretName
		}
	}
	t.Errorf("the volume %s is mounted and does not exist", name)
	return ""
}

// probed returns the TCP port of a container that a probe asks.
func probed(t *testing.T, c corev1.Container, probe *corev1.Probe) int {
	t.Helper()
	var port intstr.IntOrString
	switch {
	case probe == nil:
		t.Fatalf("%s is not probed", c.Name)
	case probe.TCPSocket != nil:
		port = probe.TCPSocket.Port
	case probe.HTTPGet != nil:
		port = probe.HTTPGet.Port
	}
	for _, p := range c.Ports {
		if p.Name == port.StrVal {
			return int(p.ContainerPort)
		}
	}
	t.Fatalf("%s is probed at %v, which is no port of it", c.Name, port)
	return 0
}

func TestKubernetes(t *testing.T) {
	m, err := decoded(t, read(t, cloudFile("kubernetes.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	for name, image := range map[string]string{"hub": "waldo", "gateway": "waldo-gateway"} {
		if w := deployed(t, "")[name]; w.image != image || !w.readOnly || !w.confined {
			t.Errorf("%s is %+v", name, w)
		}
		service, deployment := m.services[name], m.deployments[name]
		if service == nil ||
			!labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(deployment.Spec.Template.Labels)) {
			t.Fatalf("the service %s does not select its deployment", name)
		}
		if !labels.SelectorFromSet(deployment.Spec.Selector.MatchLabels).Matches(labels.Set(deployment.Spec.Template.Labels)) {
			t.Errorf("the deployment %s does not select its own pods", name)
		}
		for _, port := range service.Spec.Ports {
			checkPort(t, deployment.Spec.Template.Spec.Containers[0], port)
		}
		for _, volume := range deployment.Spec.Template.Spec.Volumes {
			if claim := volume.PersistentVolumeClaim; claim != nil && m.claims[claim.ClaimName] == nil {
				t.Errorf("%s claims %s, which does not exist", name, claim.ClaimName)
			}
		}
	}
}

// checkPort checks that a port of a service leads to one of a container.
func checkPort(t *testing.T, c corev1.Container, port corev1.ServicePort) {
	t.Helper()
	for _, p := range c.Ports {
		if problems := validation.IsValidPortName(p.Name); len(problems) > 0 {
			t.Errorf("port %q: %v", p.Name, problems)
		}
		if p.Name == port.TargetPort.StrVal &&
			(p.Protocol == port.Protocol || p.Protocol+port.Protocol == "TCP" || p.Protocol+port.Protocol == "") {
			return
		}
	}
	t.Errorf("the port %s of the service leads to no port of %s", port.Name, c.Name)
}

// A manifest with a word that Kubernetes does not know is refused, so the tests above notice one.
func TestMisspelledManifest(t *testing.T) {
	text := strings.Replace(string(read(t, cloudFile("kubernetes.yaml"))), "readOnlyRootFilesystem",
		"readOnlyRootFileSystem", 1)
	if _, err := decoded(t, []byte(text)); err == nil || !strings.Contains(err.Error(), "readOnlyRootFileSystem") {
		t.Errorf("a misspelled field: %v", err)
	}
}
