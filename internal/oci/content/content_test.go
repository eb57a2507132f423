package content_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/immure-dev/immure/internal/oci/content"
)

// A shelf is a source that gives what it was told to for a digest.
type shelf map[v1.Hash][]byte

func (s shelf) Blob(_ context.Context, h v1.Hash) (io.ReadCloser, error) {
	data, ok := s[h]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (s shelf) Manifest(ctx context.Context, h v1.Hash) (io.ReadCloser, error) { return s.Blob(ctx, h) }

func (s shelf) Referrers(context.Context, v1.Hash) ([]v1.Descriptor, error) { return nil, nil }

func digest(t *testing.T, data []byte) v1.Hash {
	t.Helper()
	h, _, err := v1.SHA256(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestReadBlob(t *testing.T) {
	data := []byte("some bytes")
	h, n := digest(t, data), int64(len(data))
	for _, tc := range []struct {
		name   string
		answer []byte
		desc   v1.Descriptor
		most   int64
		want   string // of the error, empty for none
	}{
		{"right", data, v1.Descriptor{Digest: h, Size: n}, n, ""},
		{"other bytes of the size", []byte("same bytes"), v1.Descriptor{Digest: h, Size: n}, n, "other bytes"},
		{"fewer bytes", data[:3], v1.Descriptor{Digest: h, Size: n}, n, "got 3 bytes, want 10"},
		{"more bytes", append(data, 0), v1.Descriptor{Digest: h, Size: n}, n + 9, "got 11 bytes, want 10"},
		{"size that does not fit", data, v1.Descriptor{Digest: h, Size: 9}, n, "want 9"},
		{"too large to ask for", data, v1.Descriptor{Digest: h, Size: n}, n - 1, "10 bytes are more than 9"},
		{"negative size", data, v1.Descriptor{Digest: h, Size: -1}, n, "has the size -1"},
		{"another algorithm", data, v1.Descriptor{Digest: v1.Hash{Algorithm: "sha512", Hex: h.Hex}, Size: n}, n, "not a sha256 digest"},
		{"no digest", data, v1.Descriptor{Size: n}, n, "not a sha256 digest"},
		{"a path for a digest", data, v1.Descriptor{Digest: v1.Hash{Algorithm: "sha256", Hex: "../" + h.Hex[3:]}, Size: n}, n, "not a sha256 digest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := content.ReadBlob(t.Context(), shelf{h: tc.answer}, tc.desc, tc.most)
			if tc.want == "" && (err != nil || !bytes.Equal(got, data)) {
				t.Errorf("got %q, %v", got, err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got error %v, want %q in it", err, tc.want)
			}
		})
	}
}

const zero = `{"mediaType":"x","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}`

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, in        string
		manifest, index bool
	}{
		{"manifest", `{"schemaVersion":2,"config":` + zero + `,"layers":[` + zero + `]}`, true, false},
		{"index", `{"schemaVersion":2,"manifests":[` + zero + `]}`, false, true},
		{"both", `{"schemaVersion":2,"config":` + zero + `,"layers":[],"manifests":[]}`, false, false},
		{"both, one empty", `{"schemaVersion":2,"layers":[],"manifests":null}`, false, false},
		{"both, in capitals", `{"schemaVersion":2,"config":` + zero + `,"layers":[],"Manifests":[]}`, false, false},
		{"schema 1 and index", `{"schemaVersion":2,"fsLayers":[],"manifests":[]}`, false, false},
		{"neither", `{"schemaVersion":2}`, false, false},
		{"a layer's digest twice", `{"schemaVersion":2,"config":` + zero + `,"layers":[` + strings.Replace(zero, `"digest"`, `"digest":"sha256:`+strings.Repeat("0", 64)+`","digest"`, 1) + `]}`, false, false},
		{"a layer's digest in capitals", `{"schemaVersion":2,"config":` + zero + `,"layers":[` + strings.Replace(zero, `"digest"`, `"Digest":"sha256:`+strings.Repeat("0", 64)+`","digest"`, 1) + `]}`, false, false},
		{"an entry's digest in capitals", `{"schemaVersion":2,"manifests":[` + strings.Replace(zero, `"digest"`, `"DIGEST"`, 1) + `]}`, false, false},
		{"indented", "{ \"schemaVersion\" : 2 ,\n \"config\" : " + zero + " ,\n \"layers\" : [ " + zero + " , " + zero + " ] }", true, false},
		{"hidden behind a string", `{"schemaVersion":2,"config":` + zero + `,"layers":[],"x":[ "]}"],"manifests":[]}`, false, false},
		{"layers twice behind a string", `{"schemaVersion":2,"config":` + zero + `,"layers":[],"x":[ "]}"],"layers":[` + zero + `]}`, false, false},
		{"layers twice", `{"schemaVersion":2,"config":` + zero + `,"layers":[],"layers":[` + zero + `]}`, false, false},
		{"media type of the other", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","config":` + zero + `,"layers":[]}`, false, false},
		{"index that says manifest", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}`, false, false},
		{"schema version 1", `{"schemaVersion":1,"config":` + zero + `,"layers":[]}`, false, false},
		{"negative size", `{"schemaVersion":2,"config":` + zero + `,"layers":[` + strings.Replace(zero, ":2,", ":-2,", 1) + `]}`, false, false},
		{"sha512 layer", `{"schemaVersion":2,"config":` + zero + `,"layers":[` + strings.ReplaceAll(zero, "sha256", "sha512") + `]}`, false, false},
		{"513 layers", `{"schemaVersion":2,"config":` + zero + `,"layers":[` + strings.Repeat(zero+",", 512) + zero + `]}`, false, false},
		{"4097 manifests", `{"schemaVersion":2,"manifests":[` + strings.Repeat(zero+",", 4096) + zero + `]}`, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := content.ParseManifest([]byte(tc.in))
			if (err == nil) != tc.manifest || (m != nil) != tc.manifest {
				t.Errorf("as a manifest: %v", err)
			}
			var index *content.IndexError
			if errors.As(err, &index) != tc.index {
				t.Errorf("as a manifest: got %v, want an IndexError: %v", err, tc.index)
			}
			if _, err := content.ParseIndex([]byte(tc.in)); (err == nil) != tc.index {
				t.Errorf("as an index: %v", err)
			}
		})
	}
}

func TestImage(t *testing.T) {
	img, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	raw, _ := img.RawManifest()
	config, _ := img.RawConfigFile()
	s[digest(t, raw)], s[digest(t, config)] = raw, config
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		s[digest(t, data)] = data
	}
	got, err := content.Image(t.Context(), s, digest(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	read := func() error {
		again, err := got.Layers()
		if err != nil || len(again) != len(layers) {
			t.Fatalf("got %d layers, error %v", len(again), err)
		}
		for _, l := range again {
			r, err := l.Uncompressed()
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := read(); err != nil {
		t.Error(err)
	}
	for _, l := range layers { // each layer with its last byte changed
		h, _ := l.Digest()
		good := s[h]
		s[h] = append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1)
		if err := read(); err == nil {
			t.Errorf("layer %s was read with other bytes", h)
		}
		s[h] = good
	}
	s[digest(t, config)] = append(config, ' ')
	if got, err = content.Image(t.Context(), s, digest(t, raw)); err != nil {
		t.Fatal(err)
	}
	if _, err := got.RawConfigFile(); err == nil {
		t.Error("read another configuration")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":` + zero + `,"layers":[` + zero + `],"subject":` + zero + `}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[` + zero + `]}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[],"layers":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, asManifest := content.ParseManifest(data)
		_, asIndex := content.ParseIndex(data)
		if asManifest == nil && asIndex == nil {
			t.Error("a manifest and an index at once")
		}
		if _, err := content.MediaType(data); err != nil && (asManifest == nil || asIndex == nil) {
			t.Errorf("parsed, but of no media type: %v", err)
		}
	})
}
