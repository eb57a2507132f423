package oci

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
)

// harmless are the members of a configuration that may change without any
// facet, and why. A star at the end stands for what follows.
var harmless = map[string]string{
	"root.path":                                "which rootfs is judged is the door's: its tree digest decides",
	"hostname":                                 "a runtime refuses it outside an own uts namespace",
	"domainname":                               "as the hostname",
	"process.consoleSize.*":                    "the size of a window",
	"mounts[].source":                          "of what the kernel mounts: a name in mountinfo; of a bind mount: see TestWider",
	"mounts[].uidMappings*":                    "that there is a mapping refuses; see TestWider",
	"mounts[].gidMappings*":                    "the same",
	"hooks.prestart[].timeout":                 "when a hook is given up",
	"hooks.createRuntime[].timeout":            "the same",
	"hooks.createContainer[].timeout":          "the same",
	"hooks.startContainer[].timeout":           "the same",
	"hooks.poststart[].timeout":                "the same",
	"hooks.poststop[].timeout":                 "the same",
	"linux.devices[].path":                     "beneath /dev, where what a node opens is the facet and not its name",
	"linux.devices[].fileMode":                 "the device cgroup decides what may be opened, not the node's mode",
	"linux.devices[].uid":                      "as its mode",
	"linux.devices[].gid":                      "as its mode",
	"linux.uidMappings[].containerID":          "which host ids there are decides, not what they are called inside",
	"linux.gidMappings[].containerID":          "the same",
	"linux.resources.memory.checkBeforeUpdate": "whether a runtime checks before it lowers a limit",
	"linux.resources.blockIO.throttle*":        "limits of single devices only narrow, and the facet reads as unlimited",
}

func harmlessKey(path string) string {
	for p := range harmless {
		if prefix, open := strings.CutSuffix(p, "*"); path == p || (open && strings.HasPrefix(path, prefix)) {
			return p
		}
	}
	return ""
}

// leaves calls visit for every member of a Go type that holds no further ones,
// with a function that changes it in a configuration.
func leaves(t reflect.Type, path string, at func(reflect.Value) reflect.Value, visit func(path string, at func(reflect.Value) reflect.Value)) {
	switch t.Kind() {
	case reflect.Pointer:
		if t.Elem().Kind() != reflect.Struct {
			visit(path, at)
			return
		}
		leaves(t.Elem(), path, func(root reflect.Value) reflect.Value {
			v := at(root)
			if v.IsNil() {
				v.Set(reflect.New(t.Elem()))
			}
			return v.Elem()
		}, visit)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name := jsonName(f)
			sub := strings.TrimPrefix(path+"."+name, ".")
			if f.Anonymous {
				sub = path
			}
			leaves(f.Type, sub, func(root reflect.Value) reflect.Value { return at(root).Field(i) }, visit)
		}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Struct {
			visit(path, at)
			return
		}
		leaves(t.Elem(), path+"[]", func(root reflect.Value) reflect.Value {
			v := at(root)
			if v.Len() == 0 {
				v.Set(reflect.MakeSlice(t, 1, 1))
			}
			return v.Index(0)
		}, visit)
	default:
		visit(path, at)
	}
}

// alter gives a member another value.
func alter(v reflect.Value, path string) {
	if text, ok := special[path]; ok {
		if err := json.Unmarshal([]byte(text), v.Addr().Interface()); err != nil {
			panic(path + ": " + err.Error())
		}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(v.Int() + 7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(v.Uint() + 7)
	case reflect.String:
		v.SetString(v.String() + "changed")
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
		alter(v.Index(v.Len()-1), path+"[]")
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		value := reflect.New(v.Type().Elem()).Elem()
		if value.Kind() == reflect.String {
			value.SetString("1")
		}
		v.SetMapIndex(reflect.ValueOf("changed"), value)
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			fresh.Elem().Set(v.Elem())
		}
		alter(fresh.Elem(), path)
		v.Set(fresh)
	case reflect.Interface:
		v.Set(reflect.ValueOf("changed"))
	default:
		panic(fmt.Sprintf("%s: cannot alter %s", path, v.Type()))
	}
}

// special are values for members where any other value would mean nothing.
var special = map[string]string{
	"annotations":                         `{"krun.cpus": "8"}`,
	"linux.resources.devices[].allow":     `true`,
	"linux.resources.devices[].type":      `"c"`,
	"linux.resources.devices[].access":    `"r"`,
	"linux.uidMappings[].hostID":          `100000`,
	"linux.gidMappings[].hostID":          `100000`,
	"linux.seccomp.architectures":         `["SCMP_ARCH_X86"]`,
	"linux.seccomp.syscalls[].args[].op":  `"SCMP_CMP_NE"`,
	"linux.seccomp.flags":                 `["SECCOMP_FILTER_FLAG_LOG"]`,
	"linux.namespaces[].type":             `"time"`,
	"process.user.additionalGids":         `[7]`,
	"linux.resources.cpu.period":          `1000`,
	"linux.resources.memory.useHierarchy": `true`,
}

// TestEveryField changes each member that the runtime-spec knows, alone, and
// wants some facet to change, or some refusal; the others must be listed as
// harmless with a reason. A new version of the specification thus cannot bring
// a member that no one has thought about.
func TestEveryField(t *testing.T) {
	base, err := os.ReadFile("testdata/full.json")
	if err != nil {
		t.Fatal(err)
	}
	before := outcome(t, base)
	if strings.Contains(before, "unread") || strings.Contains(before, "foreign") {
		t.Fatalf("testdata/full.json is not read cleanly:\n%s", before)
	}
	tried, met := 0, make(map[string]bool)
	leaves(reflect.TypeFor[specs.Spec](), "", func(root reflect.Value) reflect.Value { return root }, func(path string, at func(reflect.Value) reflect.Value) {
		var spec specs.Spec
		if err := json.Unmarshal(base, &spec); err != nil {
			t.Fatal(err)
		}
		alter(at(reflect.ValueOf(&spec).Elem()), path)
		data, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		tried++
		key := harmlessKey(path)
		met[key] = true
		switch noticed := outcome(t, data) != before; {
		case !noticed && key == "":
			t.Errorf("%s: nothing notices a change, and it is not listed as harmless", path)
		case noticed && key != "":
			t.Errorf("%s: listed as harmless (%s), and a change is noticed", path, harmless[key])
		}
	})
	if tried < 200 {
		t.Errorf("only %d members were tried", tried)
	}
	for key := range harmless {
		if !met[key] {
			t.Errorf("%s is listed as harmless and does not exist", key)
		}
	}
}

// outcome is all that a reading says.
func outcome(t *testing.T, data []byte) string {
	t.Helper()
	r, err := Parse(data, Options{Classify: classify})
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	for _, f := range harden.Facets() {
		fmt.Fprintf(&b, "%s: %s\n", f, r.Boundary.Text(f))
	}
	if s := r.Boundary.Syscalls; !s.IsUnconfined() {
		fmt.Fprintf(&b, "%v %v %v\n", s.Architectures(), s.Flags(), s.Rules())
	}
	for f, why := range r.Unread {
		fmt.Fprintf(&b, "unread %s: %s\n", f, why)
	}
	for _, f := range r.Foreign {
		fmt.Fprintf(&b, "foreign %s\n", f)
	}
	return b.String()
}
