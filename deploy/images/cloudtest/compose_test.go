package cloudtest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// composed loads the compose file as Docker Compose does, which checks it against the schema of compose files. Relative
// paths begin in a folder.
func composed(t *testing.T, folder string, environment types.Mapping) (map[string]workload, error) {
	t.Helper()
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  folder,
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: read(t, cloudFile("compose.yaml"))}},
		Environment: environment,
	}, func(o *loader.Options) { o.SetProjectName("waldo", true) })
	if err != nil {
		return nil, err
	}
	found := map[string]workload{}
	for name, service := range project.Services {
		image, tag, _ := strings.Cut(service.Image, ":")
		if tag != imageTag {
			t.Errorf("%s runs %s", name, service.Image)
		}
		w := workload{image: image, arguments: service.Command, readOnly: service.ReadOnly,
			confined: slices.Contains(service.CapDrop, "ALL") && slices.Contains(service.SecurityOpt, "no-new-privileges:true")}
		for _, volume := range service.Volumes {
			w.mounts = append(w.mounts, mount{volume.Source, volume.Target, volume.ReadOnly})
		}
		for _, secret := range service.Secrets {
			// As Docker Compose does it: the file itself, with its owner and mode.
			w.mounts = append(w.mounts, mount{project.Secrets[secret.Source].File, "/run/secrets/" + secret.Source, true})
		}
		for _, port := range service.Ports {
			if port.Protocol == "tcp" {
				w.ports = append(w.ports, int(port.Target))
			}
		}
		found[name] = w
	}
	return found, nil
}

func variables() types.Mapping {
	return types.Mapping{"WALDO_VERSION": imageTag, "HOST": hubName, "PUBLIC_IP": publicIP}
}

func TestCompose(t *testing.T) {
	services, err := composed(t, t.TempDir(), variables())
	if err != nil {
		t.Fatal(err)
	}
	for name, image := range map[string]string{"hub": "waldo", "gateway": "waldo-gateway"} {
		s := services[name]
		if s.image != image || !s.readOnly || !s.confined || len(s.ports) == 0 {
			t.Errorf("%s is %+v", name, s)
		}
	}
}

// Without what README.md says to set, Docker Compose names what is missing.
func TestComposeWithoutVariables(t *testing.T) {
	for variable := range variables() {
		environment := variables()
		delete(environment, variable)
		if _, err := composed(t, t.TempDir(), environment); err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("without %s: %v", variable, err)
		}
	}
}
