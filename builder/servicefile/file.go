package servicefile

import (
	"fmt"
	"time"

	"github.com/immure-dev/immure/harden"
)

// A File is one service, as its author states it. Host paths are as written,
// relative to the service file's directory.
type File struct {
	// Service is the service's name: lower-case letters, digits and hyphens.
	Service string
	// Epoch is that of the statement, at least 1; 1 when left out.
	Epoch int64
	From  From
	Run   Run
	// Kind is "server" or "job"; "server" when left out.
	Kind string
	// Profile is the name of the starting boundary, empty when left out.
	Profile string
	// Stated holds the facets that the file states, and no others. System
	// calls are not among them: they add to the profile's.
	Stated harden.Boundary
	// Syscalls are further calls, by name, that may be made with any argument.
	Syscalls []string
	Files    Files
	// Dlopen are libraries that the program opens by itself: names that ld.so
	// looks for, or absolute paths.
	Dlopen []string
	// Envelope is "restricted" or "strict"; "restricted" when left out.
	Envelope string
	// EnvelopeFacets are JSON values laid over the restricted envelope, by
	// facet.
	EnvelopeFacets map[string]any
	// Immutability is "fixed" or "strict"; "fixed" when left out.
	Immutability string
	Waivers      []Waiver
	// Platforms are OCI platforms; linux/amd64 when left out.
	Platforms []string

	name string
	at   map[string]Position
}

// From says what the image is made from. Exactly one is set.
type From struct {
	Go     string // a directory with a main package
	Binary string // a file
	Rootfs string // a directory
	Image  string // a reference, or oci:DIR, oci-archive:FILE, docker-archive:FILE
	Debian *Debian
}

// Debian names packages of the machine's configured archive.
type Debian struct {
	Packages []string
	Lock     string // a file
}

// Run says how the service is started.
type Run struct {
	// Args begin with the absolute path of the program in the image.
	Args []string
	// UID and GID are what the image asks for. Where Stated.User is a range,
	// they lie in it.
	UID, GID uint32
	// Env are the literal variables, as NAME=value.
	Env []string
	// Cwd is the working directory, "/" when left out.
	Cwd string
}

// Files says what beside the program is in the image and what may be done
// with it. All but Add.From are clean absolute paths in the image.
type Files struct {
	Read    []string
	Execute []string
	Scratch []Scratch
	Add     []Add
}

// A Scratch is a directory that is writable and empty at every start.
type Scratch struct {
	At string
	// SizeMaxBytes is zero for no limit of its own.
	SizeMaxBytes int64
}

// An Add is a file or directory of the host that is put into the image.
type Add struct {
	From, To string
}

// A Waiver lets a wide grant pass until it expires.
type Waiver struct {
	// Facet is a facet's name, or a group's: "capabilities" for all five sets.
	Facet string
	// Grant is the grant as the boundary writes it.
	Grant   string
	Reason  string
	Expires time.Time // UTC

	at Position
}

// At returns where the key, such as "boundary.listen", stands in the file, as
// "immure.yaml:3:5"; the start of the file for a key that is not there.
func (f *File) At(key string) string {
	p, ok := f.at[key]
	if !ok {
		p = Position{1, 1}
	}
	return fmt.Sprintf("%s:%d:%d", f.name, p.Line, p.Column)
}

// Has reports whether the file holds the key, such as "boundary.memory".
func (f *File) Has(key string) bool {
	_, ok := f.at[key]
	return ok
}
