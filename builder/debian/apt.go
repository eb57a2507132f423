package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// listsFreshFor is how long the machine's package lists are taken for current:
// the interval of apt's own daily update.
const listsFreshFor = 24 * time.Hour

// An apt is apt-get with a state of its own in a temporary directory. The
// machine's configuration (sources, keyrings, preferences, proxies) holds,
// except for hooks.
type apt struct {
	dir   string // everything of it; removed by close
	conf  string
	opts  Options
	arch  string
	lists string // the machine's package lists, or the private ones
	own   bool   // lists are private
}

// The state is empty but for one line that is true of the tree which the
// packages are unpacked into: its /usr is merged. Without it apt would add the
// program that merges, and with it Perl.
const status = `Package: usr-is-merged
Status: install ok installed
Priority: optional
Section: oldlibs
Maintainer: none
Architecture: all
Multi-Arch: foreign
Version: 999
Description: the tree that packages are unpacked into has a merged /usr

`

// Read with -c, so after the machine's own files: what it clears stays clear.
// The hooks of a machine act on that machine, and nothing is installed on it.
var confTemplate = template.Must(template.New("apt.conf").Parse(`
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Post-Invoke-Stats;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear AptCli::Hooks;
#clear APT::Architectures;
APT::Architecture "{{.Arch}}";
APT::Architectures { "{{.Arch}}"; };
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::AllowUnauthenticated "false";
APT::Update::Error-Mode "any";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb-src::Sources::DefaultEnabled "false";
Dir::State "{{.Dir}}/state";
Dir::State::lists "{{.Lists}}";
Dir::State::status "{{.Dir}}/dpkg/status";
Dir::Cache "{{.Dir}}/cache";
Dir::Cache::archives "{{.Dir}}/cache/archives";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "";
Dir::Log "{{.Dir}}/log";
{{.More}}
`))

// newApt sets the state up. The caller closes it.
func newApt(ctx context.Context, opts Options, arch string) (_ *apt, err error) {
	dir, err := os.MkdirTemp("", "immure-apt-*")
	if err != nil {
		return nil, fmt.Errorf("set up apt: %w", err)
	}
	a := &apt{dir: dir, conf: filepath.Join(dir, "apt.conf"), opts: opts, arch: arch}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if strings.ContainsAny(dir, "\"\\\n;{}") {
		return nil, fmt.Errorf("set up apt: directory %q cannot be written in its configuration: set TMPDIR", dir)
	}
	for _, d := range []string{"state", "lists/partial", "dpkg", "cache/archives/partial", "debs"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("set up apt: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "dpkg/status"), []byte(status), 0o644); err != nil {
		return nil, fmt.Errorf("set up apt: %w", err)
	}
	if err := a.admit(); err != nil {
		return nil, fmt.Errorf("set up apt: %w", err)
	}
	a.lists = a.machineLists(ctx)
	if a.lists == "" {
		return a, a.update(ctx)
	}
	return a, a.configure()
}

func (a *apt) close() error { return os.RemoveAll(a.dir) }

// admit lets apt's unprivileged user download when this is root: it parses what
// comes from the network, and apt would keep root for it in a directory that
// the user cannot write.
func (a *apt) admit() error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := os.Chmod(a.dir, 0o755); err != nil {
		return err
	}
	u, err := user.Lookup("_apt")
	if unknown := user.UnknownUserError(""); errors.As(err, &unknown) {
		return nil
	}
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	return os.Chown(filepath.Join(a.dir, "debs"), uid, -1)
}

func (a *apt) configure() error {
	var b bytes.Buffer
	err := confTemplate.Execute(&b, map[string]string{
		"Arch": a.arch, "Dir": a.dir, "Lists": a.lists, "More": a.opts.aptConf,
	})
	if err != nil {
		return fmt.Errorf("set up apt: %w", err)
	}
	if err := os.WriteFile(a.conf, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("set up apt: %w", err)
	}
	return nil
}

// machineLists is the directory of the machine's package lists, or empty when
// they are missing, old or for another architecture.
func (a *apt) machineLists(ctx context.Context) string {
	if a.opts.aptConf != "" {
		return "" // other sources than the machine's
	}
	out, err := run(ctx, a.dir, "apt-config", "shell", "LISTS", "Dir::State::lists/d")
	if err != nil {
		return ""
	}
	dir, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "LISTS='")
	dir, closed := strings.CutSuffix(dir, "'")
	if !ok || !closed || strings.ContainsAny(dir, "'\"\\\n;{}") {
		return ""
	}
	fi, err := os.Stat(dir)
	if err != nil || time.Since(fi.ModTime()) > listsFreshFor {
		return ""
	}
	found, err := filepath.Glob(filepath.Join(dir, "*_binary-"+a.arch+"_Packages*"))
	if err != nil || len(found) == 0 {
		return ""
	}
	return dir
}

// update fetches private package lists.
func (a *apt) update(ctx context.Context) error {
	a.lists, a.own = filepath.Join(a.dir, "lists"), true
	if err := a.configure(); err != nil {
		return err
	}
	a.opts.log("fetching package lists")
	if _, err := run(ctx, a.dir, "apt-get", "-c", a.conf, "-q", "update"); err != nil {
		return fmt.Errorf("fetch package lists: %w", err)
	}
	return nil
}

// retry runs f, and once more with new lists when apt failed with those of the
// machine: a mirror moves on.
func (a *apt) retry(ctx context.Context, f func() error) error {
	err := f()
	if failed := (*commandError)(nil); a.own || ctx.Err() != nil || !errors.As(err, &failed) {
		return err
	}
	if updateErr := a.update(ctx); updateErr != nil {
		return fmt.Errorf("%w (and %w)", err, updateErr)
	}
	return f()
}

// nativeArch is the machine's architecture, as Debian calls it.
func nativeArch(ctx context.Context) (string, error) {
	out, err := run(ctx, "/", "dpkg", "--print-architecture")
	if err != nil {
		return "", fmt.Errorf("find architecture: %w: Debian packages need apt and dpkg", err)
	}
	return strings.TrimSpace(string(out)), nil
}
