package image_test

import (
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The image's configuration is more than the service's boundary allows.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, facet string
		change      func(*v1.Config)
	}{
		{"another program", "process.args", func(c *v1.Config) { c.Entrypoint = []string{"/proc/self/exe"} }},
		{"no program", "process.args", func(c *v1.Config) { c.Entrypoint = nil }},
		{"nothing to start", "process.args", func(c *v1.Config) { c.Entrypoint, c.Cmd = nil, nil }},
		{"an argument more", "process.args", func(c *v1.Config) { c.Cmd = append(c.Cmd, "-debug") }},
		{"an argument less", "process.args", func(c *v1.Config) { c.Cmd = nil }},
		{"another argument", "process.args", func(c *v1.Config) { c.Cmd = []string{"-Listen"} }},
		{"a command alone", "process.args", func(c *v1.Config) { c.Entrypoint, c.Cmd = nil, []string{"/bin/sh"} }},
		{"a shell", "process.args", func(c *v1.Config) { c.Entrypoint = append([]string{"/bin/sh", "-c"}, c.Entrypoint...) }},

		{"another directory", "process.cwd", func(c *v1.Config) { c.WorkingDir = "/etc" }},
		{"a directory of a descriptor", "process.cwd", func(c *v1.Config) { c.WorkingDir = "/proc/self/fd/7" }},
		{"a relative directory", "process.cwd", func(c *v1.Config) { c.WorkingDir = "etc" }},

		{"a variable more", "process.env", func(c *v1.Config) { c.Env = append(c.Env, "HOME=/data") }},
		{"another value", "process.env", func(c *v1.Config) { c.Env = []string{"PATH=/data"} }},
		{"a loader's variable", "process.env", func(c *v1.Config) { c.Env = append(c.Env, "LD_PRELOAD=/data/x.so") }},
		{"a variable without a value", "process.env", func(c *v1.Config) { c.Env = append(c.Env, "LD_DEBUG") }},
		{"an empty variable", "process.env", func(c *v1.Config) { c.Env = append(c.Env, "") }},

		{"root", "user.gid user.uid", func(c *v1.Config) { c.User = "0:0" }},
		{"no user", "user.uid", func(c *v1.Config) { c.User = "" }},
		{"root's group", "user.gid", func(c *v1.Config) { c.User = "65532:0" }},
		{"another user", "user.uid", func(c *v1.Config) { c.User = "65533:65533" }},
		{"no group", "user.uid", func(c *v1.Config) { c.User = "65532" }},
		{"a name", "user.uid", func(c *v1.Config) { c.User = "hello" }},
		{"names", "user.uid", func(c *v1.Config) { c.User = "hello:hello" }},
		{"a number too large", "user.uid", func(c *v1.Config) { c.User = "4295032828:65533" }},
		{"a negative number", "user.uid", func(c *v1.Config) { c.User = "-1:65533" }},
		{"a number in octal", "user.uid", func(c *v1.Config) { c.User = "065532:65533" }},
		{"a number with a sign", "user.uid", func(c *v1.Config) { c.User = "+65532:65533" }},
		{"a third number", "user.uid", func(c *v1.Config) { c.User = "65532:65533:0" }},
		{"a space", "user.uid", func(c *v1.Config) { c.User = "65532:65533 " }},

		{"a port more", "network.listen", func(c *v1.Config) { c.ExposedPorts["22/tcp"] = struct{}{} }},
		{"another protocol", "network.listen", func(c *v1.Config) { c.ExposedPorts["8080/udp"] = struct{}{} }},
		{"a range of ports", "network.listen", func(c *v1.Config) { c.ExposedPorts["8080-8090/tcp"] = struct{}{} }},
		{"a port that is none", "network.listen", func(c *v1.Config) { c.ExposedPorts["http"] = struct{}{} }},

		{"a volume", "mounts", func(c *v1.Config) { c.Volumes = map[string]struct{}{"/srv": {}} }},
		{"a volume over the program", "mounts", func(c *v1.Config) { c.Volumes = map[string]struct{}{"/usr/bin": {}} }},
		{"a volume over the seal", "mounts", func(c *v1.Config) { c.Volumes = map[string]struct{}{"/.immure": {}} }},
		{"a volume over a slot of another kind", "mounts", func(c *v1.Config) { c.Volumes = map[string]struct{}{"/dev": {}} }},
		{"a volume spelled else", "mounts", func(c *v1.Config) { c.Volumes = map[string]struct{}{"/data/": {}} }},

		{"a health check", "exec", func(c *v1.Config) { c.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", "/usr/bin/hello"}} }},
		{"a health check by a shell", "exec", func(c *v1.Config) { c.Healthcheck = &v1.HealthConfig{Test: []string{"CMD-SHELL", "id"}} }},

		{"all at once", "exec mounts network.listen process.args process.cwd process.env user.gid user.uid", func(c *v1.Config) {
			*c = v1.Config{
				Labels: c.Labels, User: "0:0", WorkingDir: "/etc", Env: []string{"A=1"}, Volumes: map[string]struct{}{"/": {}},
				ExposedPorts: map[string]struct{}{"1": {}}, Healthcheck: &v1.HealthConfig{Test: []string{"CMD"}},
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDraft(t, 1)
			c.change(&d.config)
			_, err := d.twiceSigned()
			refused(t, err, c.facet, "image configuration")
		})
	}
}

// A document is an image whose configuration is the given text.
type document struct {
	v1.Image
	text string
}

func (d document) RawConfigFile() ([]byte, error) { return []byte(d.text), nil }

func (d document) ConfigFile() (*v1.ConfigFile, error) {
	return v1.ParseConfigFile(strings.NewReader(d.text))
}

// A configuration that one reader takes for this and another for that.
func TestTwofoldConfigurations(t *testing.T) {
	d := newDraft(t, 1)
	img := d.sealed()
	raw, err := img.RawConfigFile()
	must(t, err)
	for old, new := range map[string]string{
		`"config":`:     `"config":{"User":"0:0"},"config":`,
		`{"arch`:        `{"Config":{"User":"0:0"},"arch`,
		`"config":{`:    `"Config":{`,
		`"User":`:       `"User":"0:0","User":`,
		`"Labels":`:     `"user":"0:0","Labels":`,
		`"User":"`:      `"USER":"`,
		`"os":"linux"`:  "\"os\":\"linux\xff\"",
		`"Entrypoint":`: `"Entrypoint":["/bin/sh"],"Entrypoint":`,
	} {
		t.Run(new, func(t *testing.T) {
			text := strings.Replace(string(raw), old, new, 1)
			if text == string(raw) {
				t.Fatalf("no %s in %s", old, raw)
			}
			_, err := judge(t, document{img, text}, newShelf())
			failed(t, err, "configuration")
		})
	}
	for _, text := range []string{"", "null", "[]", "{", string(raw) + string(raw)} {
		_, err = judge(t, document{img, text}, newShelf())
		failed(t, err, "configuration")
	}
	for _, text := range []string{"{}", `{"config":null}`, strings.Replace(string(raw), `"config":`, `"conf":`, 1)} {
		if _, err := judge(t, document{img, text}, newShelf()); err == nil {
			t.Errorf("the configuration %s was accepted", text)
		}
	}
}
