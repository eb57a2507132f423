package tree_test

import (
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/immure-dev/immure/attest/tree"
)

var capabilities = []string{
	"",
	"0100000200200000000000000000000000000000",
	"0000000200000000000000000000000000000000",
	"0100000300200000010000000000000002000000e8030000",
}

// genNodes makes the nodes of a whole tree, parents first.
func genNodes() *rapid.Generator[[]node] {
	return rapid.Custom(func(t *rapid.T) []node {
		id := rapid.SampledFrom([]uint32{0, 1, 65532, 1<<32 - 2})
		mode := rapid.Map(rapid.Uint32Range(0, 0o7777), func(m uint32) string { return fmt.Sprintf("%o", m) })
		nodes := []node{{Path: "/", Type: "d", Mode: mode.Draw(t, "mode"), UID: id.Draw(t, "uid"), GID: id.Draw(t, "gid")}}
		dirs, taken := []string{"/"}, map[string]bool{"/": true}
		for range rapid.IntRange(1, 10).Draw(t, "nodes") {
			name := rapid.StringOfN(rapid.RuneFrom([]rune("ab-.0é\n")), 1, 3, -1).Filter(func(s string) bool {
				return s != "." && s != ".."
			}).Draw(t, "name")
			n := node{
				Path: path.Join(rapid.SampledFrom(dirs).Draw(t, "parent"), name),
				Type: rapid.SampledFrom(strings.Split("d d f f f l c b p", " ")).Draw(t, "type"),
				UID:  id.Draw(t, "uid"), GID: id.Draw(t, "gid"),
			}
			if taken[n.Path] {
				continue
			}
			taken[n.Path] = true
			if n.Type != "l" {
				n.Mode = mode.Draw(t, "mode")
			}
			switch n.Type {
			case "d":
				dirs = append(dirs, n.Path)
			case "l":
				n.Target = rapid.StringMatching(`[a-z/.é]{1,5}`).Draw(t, "target")
			case "c", "b":
				n.Major, n.Minor = rapid.Uint32Range(1, 4095).Draw(t, "major"), rapid.Uint32Range(0, 1<<20-1).Draw(t, "minor")
			case "f":
				n.Content = hex.EncodeToString(rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "content"))
				n.Times = rapid.SampledFrom([]int{1, 1, 1, 1 << 18, 1<<18 + 1}).Draw(t, "times")
				n.Capability = rapid.SampledFrom(capabilities).Draw(t, "capability")
			}
			nodes = append(nodes, n)
		}
		return nodes
	})
}

func TestAgreesWithSecondImplementation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		nodes := genNodes().Draw(rt, "nodes")
		got, err := digest(t, nodes, nil)
		if err != nil {
			rt.Fatal(err)
		}
		if want := naiveDigest(nodes, nil); got != want {
			rt.Fatalf("got %s, the second implementation gives %s", got, want)
		}
	})
}

// changes lists what may be done to one node, each of them once. A change that
// does not apply to the node leaves it as it is.
var changes = map[string]func(t *rapid.T, n *node){
	"mode": func(t *rapid.T, n *node) {
		if n.Type != "l" && n.Path != "/" {
			var m uint32
			fmt.Sscanf(n.Mode, "%o", &m)
			n.Mode = fmt.Sprintf("%o", m^1<<rapid.IntRange(0, 11).Draw(t, "bit"))
		}
	},
	"uid": func(t *rapid.T, n *node) { n.UID = (n.UID ^ 1<<rapid.IntRange(0, 30).Draw(t, "bit")) & (1<<32 - 1) },
	"gid": func(t *rapid.T, n *node) { n.GID = n.GID ^ 1<<rapid.IntRange(0, 30).Draw(t, "bit") },
	"target": func(t *rapid.T, n *node) {
		if n.Type == "l" {
			n.Target = rapid.SampledFrom([]string{n.Target + "/", "/" + n.Target, n.Target + "x"}).Draw(t, "target")
		}
	},
	"major": func(t *rapid.T, n *node) {
		if n.Type == "c" || n.Type == "b" {
			n.Major = n.Major%4095 + 1
		}
	},
	"minor": func(t *rapid.T, n *node) {
		if n.Type == "c" || n.Type == "b" {
			n.Minor ^= 1 << rapid.IntRange(0, 19).Draw(t, "bit")
		}
	},
	"device type": func(t *rapid.T, n *node) {
		if other := map[string]string{"c": "b", "b": "c"}[n.Type]; other != "" {
			n.Type = other
		}
	},
	"content": func(t *rapid.T, n *node) {
		if n.Type == "f" && n.Content != "" {
			b := []byte(n.content())
			b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			n.Content, n.Times = hex.EncodeToString(b), 1
		}
	},
	"length": func(t *rapid.T, n *node) {
		if n.Type == "f" {
			n.Content, n.Times = hex.EncodeToString([]byte(n.content()+"\x00")), 1
		}
	},
	"capability": func(t *rapid.T, n *node) {
		switch b := unhex(n.Capability); {
		case n.Type != "f":
		case b == nil || rapid.Bool().Draw(t, "other"):
			n.Capability = capabilities[(slices.Index(capabilities, n.Capability)+1)%len(capabilities)]
		default:
			b[rapid.IntRange(4, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			n.Capability = hex.EncodeToString(b)
		}
	},
}

// Any one change of any one node changes the digest.
func TestEveryChangeShows(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			applied := false
			rapid.Check(t, func(rt *rapid.T) {
				nodes := genNodes().Draw(rt, "nodes")
				changed := slices.Clone(nodes)
				i := rapid.IntRange(0, len(nodes)-1).Draw(rt, "which")
				change(rt, &changed[i])
				if changed[i] == nodes[i] {
					return
				}
				applied = true
				differ(t, rt, nodes, changed)
			})
			if !applied {
				t.Error("the change never applied")
			}
		})
	}
	t.Run("name", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			nodes := genNodes().Draw(rt, "nodes")
			changed := slices.Clone(nodes)
			changed[len(changed)-1].Path += "_"
			if len(changed) > 1 {
				differ(t, rt, nodes, changed)
			}
		})
	})
	t.Run("removed", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			if nodes := genNodes().Draw(rt, "nodes"); len(nodes) > 1 {
				differ(t, rt, nodes, nodes[:len(nodes)-1])
			}
		})
	})
	t.Run("added", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			nodes := genNodes().Draw(rt, "nodes")
			added := node{Path: "/_", Type: rapid.SampledFrom([]string{"d", "f", "p"}).Draw(rt, "type")}
			differ(t, rt, nodes, append(slices.Clone(nodes), added))
		})
	})
}

func differ(t testing.TB, rt *rapid.T, a, b []node) {
	one, err := digest(t, a, nil)
	if err != nil {
		rt.Fatal(err)
	}
	other, err := digest(t, b, nil)
	// A device number that became 0:0 is refused, which shows too.
	if err == nil && one == other {
		rt.Fatalf("both have the digest %s:\n%+v\n%+v", one, a, b)
	}
}

// What the seal holds does not show, nor whether it is there.
func TestSealDoesNotShow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		nodes := append(genNodes().Draw(rt, "nodes"), node{Path: "/.immure", Type: "d", Mode: "755"})
		want, err := digest(t, nodes, []string{tree.SealPath})
		if err != nil {
			rt.Fatal(err)
		}
		seal := node{
			Path: tree.SealPath, Type: "f", Mode: rapid.SampledFrom([]string{"644", "444", "400"}).Draw(rt, "mode"),
			Content: hex.EncodeToString(rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(rt, "content")),
		}
		got, err := digest(t, append(nodes, seal), []string{tree.SealPath})
		if err != nil {
			rt.Fatal(err)
		}
		if got != want {
			rt.Fatalf("unsealed %s, sealed %s", want, got)
		}
	})
}
