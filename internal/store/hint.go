package store

import (
	"os"
	"path/filepath"
)

// maxHints bounds the hints that are kept: many images can unpack to one tree.
const maxHints = 1 << 10

// Hint remembers which tree something unpacked to, by another digest of it, as
// that of an image's manifest. It fails in silence: a hint that is missing costs
// no more than time.
func (s *Store) Hint(digest, key string) {
	if !isKey(digest) || !isKey(key) {
		return
	}
	hint := filepath.Join(s.dir, hintsDir, digest)
	if at, err := os.Readlink(hint); err == nil && at == key {
		return
	}
	aside, err := os.MkdirTemp(filepath.Join(s.dir, makingDir), key+".*")
	if err != nil {
		return
	}
	defer os.RemoveAll(aside)
	if link := filepath.Join(aside, "hint"); os.Symlink(key, link) == nil {
		_ = os.Rename(link, hint)
	}
}

// Hinted returns what [Store.Hint] remembers. It may be stale or wrong, and the
// tree may be gone.
func (s *Store) Hinted(digest string) (key string, ok bool) {
	if !isKey(digest) {
		return "", false
	}
	key, err := os.Readlink(filepath.Join(s.dir, hintsDir, digest))
	return key, err == nil && isKey(key)
}

// Unhint forgets what [Store.Hint] remembers of a digest.
func (s *Store) Unhint(digest string) {
	if isKey(digest) {
		_ = os.Remove(filepath.Join(s.dir, hintsDir, digest))
	}
}

// pruneHints removes the hints at trees that are gone, and all when there are
// too many.
func (s *Store) pruneHints() {
	d, err := os.Open(filepath.Join(s.dir, hintsDir))
	if err != nil {
		return
	}
	defer d.Close()
	names, err := d.Readdirnames(maxTrees)
	if err != nil {
		return
	}
	for _, name := range names {
		hint := filepath.Join(s.dir, hintsDir, name)
		key, err := os.Readlink(hint)
		if err == nil && len(names) <= maxHints {
			_, err = os.Lstat(filepath.Join(s.dir, treesDir, key))
		}
		if err != nil || len(names) > maxHints {
			_ = os.Remove(hint)
		}
	}
}
