package tree_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
)

// epoch is the modification time of layers, which no digest sees.
var epoch = time.Unix(0, 0)

// A vector is one case of testdata/vectors.json, described in
// docs/tree-digest.md.
type vector struct {
	Name    string   `json:"name"`
	Skip    []string `json:"skip"`
	Refused bool     `json:"refused"`
	Digest  string   `json:"digest"`
	Nodes   []node   `json:"nodes"`
}

type node struct {
	Path       string `json:"path"`
	Type       string `json:"type"`
	Mode       string `json:"mode"` // octal
	UID        uint32 `json:"uid"`
	GID        uint32 `json:"gid"`
	Target     string `json:"target"`
	Major      uint32 `json:"major"`
	Minor      uint32 `json:"minor"`
	Capability string `json:"capability"` // hexadecimal
	Content    string `json:"content"`    // hexadecimal
	Times      int    `json:"times"`      // how often the content is repeated
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&vs); err != nil {
		t.Fatal(err)
	}
	return vs
}

// The vectors' digests were computed by another program, in another language.
func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			got, err := digest(t, v.Nodes, v.Skip)
			if v.Refused {
				if err == nil {
					t.Errorf("got %s, want a refusal", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got != v.Digest {
				t.Errorf("got %s, want %s", got, v.Digest)
			}
			if got := naiveDigest(v.Nodes, v.Skip); got != v.Digest {
				t.Errorf("the second implementation gives %s, want %s", got, v.Digest)
			}
		})
	}
}

// The specification's worked example is the vector of that name, byte for byte.
func TestWorkedExample(t *testing.T) {
	spec, err := os.ReadFile("../../docs/tree-digest.md")
	if err != nil {
		t.Fatal(err)
	}
	squeezed := strings.Join(strings.Fields(string(spec)), "")
	for _, v := range vectors(t) {
		if v.Name != "worked example" {
			continue
		}
		for _, n := range v.Nodes {
			if entry := naiveEntry(n); !strings.Contains(squeezed, hex.EncodeToString([]byte(entry))) {
				t.Errorf("specification lacks the entry of %s: %x", n.Path, entry)
			}
		}
		if !strings.Contains(squeezed, v.Digest) {
			t.Errorf("specification lacks the digest %s", v.Digest)
		}
		return
	}
	t.Error("no such vector")
}

// digest builds a tree and asks for its digest.
func digest(t testing.TB, nodes []node, skip []string) (string, error) {
	t.Helper()
	rt, err := build(nodes)
	if err != nil {
		return "", err
	}
	return tree.Digest(rt, skip...)
}

func build(nodes []node) (*rootfs.Tree, error) {
	var t rootfs.Tree
	for _, n := range nodes {
		m, err := strconv.ParseUint("0"+n.Mode, 8, 32)
		if err != nil {
			return nil, err
		}
		r := rootfs.Node{
			Path: n.Path, Type: rootfs.Type(n.Type[0]), Mode: uint32(m), UID: n.UID, GID: n.GID,
			Target: n.Target, Major: n.Major, Minor: n.Minor, Capability: unhex(n.Capability),
		}
		if r.Type == rootfs.Regular {
			content := rootfs.Bytes(n.content())
			r.Content, r.Size = content, int64(len(content))
		}
		if err := t.Put(r); err != nil {
			return nil, err
		}
	}
	return &t, nil
}

func (n node) content() string {
	return strings.Repeat(string(unhex(n.Content)), max(1, n.Times))
}

// unhex gives nil for nothing.
func unhex(s string) []byte {
	if s == "" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err) // of a test's own data
	}
	return b
}
