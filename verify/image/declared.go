package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/harden/seccomp"
	"github.com/immure-dev/immure/verify"
)

// The labels by which an image declares its boundary, Podman's among them.
const (
	labelService      = "dev.immure.service"
	labelEpoch        = "dev.immure.epoch"
	labelBoundary     = "dev.immure.boundary"
	labelRootfs       = "dev.immure.rootfs"
	labelSeccomp      = "io.containers.seccomp.profile"
	labelCapabilities = "io.containers.capabilities"
)

// declared compares what the image says of itself with what was signed. A
// declaration grants nothing, but one that differs misleads whoever reads it:
// an engine, a scanner, a person.
//
// The label of the epoch may be of built, the epoch before a statement beside
// the image sealed it again; 0 if none did.
func declared(p attest.Predicate, f *files, config *v1.ConfigFile, built int64) []verify.Refusal {
	c := &comparison{}
	c.boundary(p, f)
	c.filter(seccompPath, f, p.Service.Syscalls, p.Envelope.Syscalls)
	c.filter(envelopePath, f, p.Envelope.Syscalls, p.Envelope.Syscalls)
	c.labels(p, f, config.Config.Labels, built)
	c.start(p, config.Config)
	return c.refusals
}

type comparison struct{ refusals []verify.Refusal }

func (c *comparison) refuse(facet, found, signed string) {
	c.refusals = append(c.refusals, verify.Refusal{
		Facet: facet, Found: found, Signed: signed,
		Mend: "build the image again: what it declares is not what was signed",
	})
}

func (c *comparison) boundary(p attest.Predicate, f *files) {
	want, err := canon.Encode(harden.Pair{Envelope: p.Envelope, Service: p.Service})
	if err != nil {
		c.refuse("declarations", err.Error(), "a boundary")
		return
	}
	if got := f.immured[boundaryPath]; !bytes.Equal(got, want) {
		c.refuse("declarations", boundaryPath+" "+digestOf(got), digestOf(want))
	}
}

// filter wants a baked filter to let the service live and to stay within the
// envelope.
func (c *comparison) filter(path string, f *files, least, most harden.Syscalls) {
	if least.IsUnconfined() {
		if f.immured[path] != nil {
			c.refuse("declarations", path, "no filter")
		}
		return
	}
	baked, err := f.filters[path].calls, f.filters[path].err
	if err != nil {
		c.refuse("declarations", fmt.Sprintf("%s: %v", path, err), "a seccomp profile")
		return
	}
	if over := baked.Over(most); len(over) > 0 {
		c.refuse("declarations", path+" with "+strings.Join(over, ", "), most.String())
	}
	if missing := least.Over(baked); len(missing) > 0 {
		c.refuse("declarations", path+" without "+strings.Join(missing, ", "), least.String())
	}
}

// A bakedFilter is a filter that an image declares, or why it is none.
type bakedFilter struct {
	calls harden.Syscalls
	err   error
}

func readFilter(data []byte) (b bakedFilter) {
	if data == nil {
		b.err = errors.New("missing")
		return b
	}
	var profile specs.LinuxSeccomp
	if b.err = json.Unmarshal(data, &profile); b.err != nil {
		return b
	}
	// Other readers could take another form for another profile.
	if again, _ := json.Marshal(&profile); !bytes.Equal(again, data) {
		b.err = errors.New("not in the one form that a profile has")
		return b
	}
	b.calls, b.err = seccomp.Parse(&profile)
	return b
}

func (c *comparison) labels(p attest.Predicate, f *files, labels map[string]string, built int64) {
	want := map[string]string{
		labelService:  p.Name,
		labelEpoch:    strconv.FormatInt(p.Epoch, 10),
		labelBoundary: digestOf(f.immured[boundaryPath]),
		labelSeccomp:  string(f.immured[seccompPath]),
	}
	var caps []string
	for _, name := range p.Service.Capabilities.Effective.Members() {
		caps = append(caps, strings.TrimPrefix(string(name), "CAP_"))
	}
	want[labelCapabilities] = strings.Join(caps, ",")
	want[labelRootfs] = string(p.Service.Rootfs)
	for _, name := range []string{labelService, labelEpoch, labelBoundary, labelRootfs, labelSeccomp, labelCapabilities} {
		got, ok := labels[name]
		if name == labelEpoch && built > 0 && got == strconv.FormatInt(built, 10) {
			continue
		}
		if got != want[name] || (!ok && want[name] != "") {
			c.refuse("declarations", fmt.Sprintf("label %s %s", name, short(got)), short(want[name]))
		}
	}
}

// start judges what an engine starts when it is told nothing else.
func (c *comparison) start(p attest.Predicate, config v1.Config) {
	service := p.Service
	args := grant.LiteralArgs(append(append([]string{}, config.Entrypoint...), config.Cmd...)...)
	if over := args.Over(service.Process.Args); over != nil {
		c.refuse("process.args", "image configuration "+short(strings.Join(over, "")), service.Process.Args.String())
	}
	cwd := config.WorkingDir
	if cwd == "" {
		cwd = "/"
	}
	if !service.Process.Cwd.Covers(grant.Literal(cwd)) {
		c.refuse("process.cwd", "image configuration "+short(cwd), service.Process.Cwd.String())
	}
	for _, e := range config.Env {
		if !service.Process.Env.Covers(grant.Env(grant.Literal(e))) {
			c.refuse("process.env", "image configuration "+short(e), service.Process.Env.String())
		}
	}
	c.offers(service, config)
	uid, gid, err := user(config.User)
	if err != nil {
		c.refuse("user.uid", "image configuration: "+err.Error(), service.User.UID.String())
		return
	}
	if !service.User.UID.Covers(order.Only(uid)) {
		c.refuse("user.uid", "image configuration "+short(config.User), service.User.UID.String())
	}
	if !service.User.GID.Covers(order.Only(gid)) {
		c.refuse("user.gid", "image configuration "+short(config.User), service.User.GID.String())
	}
}

// user reads the USER of an image. Only numbers count: what a name means is
// the engine's and the image's passwd file to say, and engines have read a
// number that is too large, or a name that is missing, as root
// (CVE-2026-46680).
func user(s string) (uid, gid int64, err error) {
	u, g, ok := strings.Cut(s, ":")
	if !ok {
		return 0, 0, fmt.Errorf("user %s is not UID:GID", short(s))
	}
	for _, part := range []struct {
		text string
		into *int64
	}{{u, &uid}, {g, &gid}} {
		n, err := strconv.ParseUint(part.text, 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != part.text {
			return 0, 0, fmt.Errorf("user %s is not UID:GID with numbers up to 2147483647", short(s))
		}
		*part.into = int64(n)
	}
	return uid, gid, nil
}

func digestOf(data []byte) string {
	if data == nil {
		return "missing"
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// short fits a text into a refusal; two long ones that differ look different.
func short(s string) string {
	if len(s) > 80 {
		return strconv.Quote(s[:40]) + "… (" + digestOf([]byte(s))[:19] + "…)"
	}
	return strconv.Quote(s)
}
