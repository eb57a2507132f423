package image

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// No member that the decoder reads is one whose spelling nobody looks at.
func TestConfigMembersAreThoseOfTheDecoder(t *testing.T) {
	want := slices.Concat(
		fields("", reflect.TypeFor[v1.ConfigFile]()), fields("config/", reflect.TypeFor[v1.Config]()),
		fields("config/Healthcheck/", reflect.TypeFor[v1.HealthConfig]()), fields("rootfs/", reflect.TypeFor[v1.RootFS]()),
	)
	got := slices.Sorted(slices.Values(configMembers))
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("known members are\n%q, the decoder reads\n%q", got, want)
	}
}

func fields(prefix string, t reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		names = append(names, prefix+name)
	}
	return names
}
