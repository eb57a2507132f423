package builder

import (
	"path/filepath"
	"time"

	"github.com/immure-dev/immure/internal/rootfs"
)

// Options says where and when a build happens. The zero value builds in the
// current directory as of 1970.
type Options struct {
	// Dir is what host paths of the service file are relative to.
	Dir string
	// Now is when waivers are judged to have expired.
	Now time.Time
	// Created is the time in the image: SOURCE_DATE_EPOCH, or the zero value
	// for 1970-01-01T00:00:00Z.
	Created time.Time
	// Cache keeps downloads; empty means immure in [os.UserCacheDir].
	Cache string
	// Relock resolves Debian packages anew although there is a lock file.
	Relock bool
	// Progress is told what is going on; it may be nil. A total of zero is not
	// known.
	Progress func(stage string, done, total int64)
	// Notice is told what the author should know; it may be nil.
	Notice func(message string)

	limits rootfs.Limits // for tests; the zero value is rootfs.DefaultLimits
}

func (o Options) progress(stage string, done, total int64) {
	if o.Progress != nil {
		o.Progress(stage, done, total)
	}
}

func (o Options) notice(message string) {
	if o.Notice != nil {
		o.Notice(message)
	}
}

// host is the path of the host that the service file means by p.
func (o Options) host(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(o.Dir, p)
}

func (o Options) bounds() rootfs.Limits {
	if o.limits == (rootfs.Limits{}) {
		return rootfs.DefaultLimits
	}
	return o.limits
}

// created is the one time that the image holds.
func (o Options) created() time.Time {
	if o.Created.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return o.Created.UTC().Truncate(time.Second)
}
