package content

import (
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/internal/strict"
)

// documentMembers are the members of manifests and indexes that mean something,
// and those of the descriptors in them.
var documentMembers = func() []string {
	all := []string{"schemaVersion", "mediaType", "config", "layers", "manifests", "fsLayers", "subject", "artifactType", "annotations"}
	for _, in := range []string{"config/", "layers/", "manifests/", "subject/"} {
		for _, name := range []string{"mediaType", "size", "digest", "data", "urls", "annotations", "platform", "artifactType"} {
			all = append(all, in+name)
		}
		for _, name := range []string{"architecture", "os", "os.version", "os.features", "variant", "features"} {
			all = append(all, in+"platform/"+name)
		}
	}
	return all
}()

// ParseManifest reads an image manifest. An index is an [IndexError]. A
// document that could be read as both is neither (GHSA-5j5w-g665-5m35).
func ParseManifest(data []byte) (*v1.Manifest, error) {
	isIndex, err := inspect(data)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if isIndex {
		index, err := ParseIndex(data)
		if err != nil {
			return nil, err
		}
		return nil, &IndexError{Manifests: index.Manifests}
	}
	var m v1.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if m.SchemaVersion != 2 || (m.MediaType != "" && !m.MediaType.IsImage()) {
		return nil, fmt.Errorf("read manifest: schema version %d and media type %q are of no image manifest", m.SchemaVersion, m.MediaType)
	}
	if len(m.Layers) > MaxLayers {
		return nil, fmt.Errorf("read manifest: more than %d layers", MaxLayers)
	}
	if err := checkAll(append([]v1.Descriptor{m.Config}, m.Layers...), m.Subject); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return &m, nil
}

// IsImage reports whether a manifest is an image's, and not that of an artifact
// or of something about another manifest.
func IsImage(m *v1.Manifest) bool {
	return m.Subject == nil && m.ArtifactType == "" && m.Config.MediaType.IsConfig()
}

// ParseIndex reads an image index.
func ParseIndex(data []byte) (*v1.IndexManifest, error) {
	isIndex, err := inspect(data)
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	if !isIndex {
		return nil, errors.New("read index: this is an image manifest")
	}
	var m v1.IndexManifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	if m.SchemaVersion != 2 || (m.MediaType != "" && !m.MediaType.IsIndex()) {
		return nil, fmt.Errorf("read index: schema version %d and media type %q are of no image index", m.SchemaVersion, m.MediaType)
	}
	if len(m.Manifests) > MaxDescriptors {
		return nil, fmt.Errorf("read index: more than %d manifests", MaxDescriptors)
	}
	if err := checkAll(m.Manifests, m.Subject); err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	return &m, nil
}

// inspect reports whether a document is an index rather than a manifest, by the
// members it has and never by what a header says.
func inspect(data []byte) (isIndex bool, err error) {
	if err := strict.Document(data, documentMembers...); err != nil {
		return false, err
	}
	m, err := strict.Members(data)
	if err != nil {
		return false, err
	}
	index, manifest := m["manifests"] != nil, m["config"] != nil || m["layers"] != nil || m["fsLayers"] != nil
	switch {
	case index && manifest:
		return false, errors.New("the document is a manifest and an index at once")
	case !index && (m["config"] == nil || m["layers"] == nil):
		return false, errors.New("the document is neither a manifest nor an index")
	}
	return index, nil
}

func checkAll(list []v1.Descriptor, subject *v1.Descriptor) error {
	if subject != nil {
		list = append(list[:len(list):len(list)], *subject)
	}
	for _, d := range list {
		if err := checkDescriptor(d); err != nil {
			return err
		}
	}
	return nil
}

// mediaType is what a manifest is sent as.
func mediaType(m *v1.Manifest) types.MediaType {
	if m.MediaType != "" {
		return m.MediaType
	}
	return types.OCIManifestSchema1
}

// MediaType is what a document of the given bytes is sent as: its own member,
// or the OCI type of what it is.
func MediaType(data []byte) (types.MediaType, error) {
	var own struct {
		MediaType types.MediaType `json:"mediaType"`
	}
	isIndex, err := inspect(data)
	if err == nil {
		err = json.Unmarshal(data, &own)
	}
	switch {
	case err != nil:
		return "", err
	case own.MediaType != "":
		return own.MediaType, nil
	case isIndex:
		return types.OCIImageIndex, nil
	}
	return types.OCIManifestSchema1, nil
}

// An IndexError reports an index where one image was wanted.
type IndexError struct{ Manifests []v1.Descriptor }

func (e *IndexError) Error() string {
	msg := fmt.Sprintf("this is an index of %d manifests: name one of them by its digest", len(e.Manifests))
	for i, m := range e.Manifests {
		if i == 4 {
			return msg + ", …"
		}
		platform := ""
		if m.Platform != nil {
			platform = fmt.Sprintf(" (%s/%s)", m.Platform.OS, m.Platform.Architecture)
		}
		msg += fmt.Sprintf("%s %s%.40s", map[bool]string{true: ":", false: ","}[i == 0], m.Digest, platform)
	}
	return msg
}
