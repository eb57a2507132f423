package seccomp

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
)

// maxErrno is the largest error number that the kernel returns as it is; it
// lowers larger ones. Source: include/linux/err.h, MAX_ERRNO.
const maxErrno = 4095

// eperm is what both runtimes answer where errnoRet is left out.
const eperm = 1

const archPrefix = "SCMP_ARCH_"

var architectures = []specs.Arch{
	specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64,
	specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32,
	specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X,
	specs.ArchPARISC, specs.ArchPARISC64, specs.ArchRISCV64, specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB,
}

// nativeNames are seccomp's names of the architectures that Go names otherwise.
var nativeNames = map[string]string{
	"386": "x86", "amd64": "x86_64", "arm64": "aarch64", "loong64": "loongarch64", "mips64le": "mipsel64", "mipsle": "mipsel",
}

// Native is the architecture of this machine as a policy names it: "x86_64".
func Native() string {
	if name, ok := nativeNames[runtime.GOARCH]; ok {
		return name
	}
	return runtime.GOARCH
}

func archName(a specs.Arch) (string, error) {
	if !slices.Contains(architectures, a) {
		return "", fmt.Errorf("unknown architecture %q", a)
	}
	return strings.ToLower(strings.TrimPrefix(string(a), archPrefix)), nil
}

func archConstant(name string) (specs.Arch, error) {
	a := specs.Arch(archPrefix + strings.ToUpper(name))
	if name != strings.ToLower(name) || !slices.Contains(architectures, a) {
		return "", fmt.Errorf("unknown architecture %q", name)
	}
	return a, nil
}

var operators = map[string]specs.LinuxSeccompOperator{
	"eq": specs.OpEqualTo, "ge": specs.OpGreaterEqual, "gt": specs.OpGreaterThan, "le": specs.OpLessEqual,
	"lt": specs.OpLessThan, "maskedEq": specs.OpMaskedEqual, "ne": specs.OpNotEqual,
}

func operatorName(op specs.LinuxSeccompOperator) (string, error) {
	for name, o := range operators {
		if o == op {
			return name, nil
		}
	}
	return "", fmt.Errorf("unknown operator %q", op)
}

// flags are those that a runtime knows. Source: runc
// libcontainer/seccomp/config.go, runtime-spec specs-go/config.go.
var flags = []string{
	"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
}

// actionOf reads an action and its errno; nil is one that was left out.
func actionOf(act specs.LinuxSeccompAction, errno *uint) (harden.Action, error) {
	data := uint(eperm)
	if errno != nil {
		if act != specs.ActErrno && act != specs.ActTrace {
			return "", fmt.Errorf("action %q takes no errno", act)
		}
		data = *errno
	}
	switch act {
	case specs.ActAllow:
		return harden.Allow, nil
	case specs.ActLog:
		return harden.Log, nil
	case specs.ActNotify:
		return harden.Notify, nil
	case specs.ActKill, specs.ActKillThread:
		return harden.KillThread, nil
	case specs.ActKillProcess:
		return harden.KillProcess, nil
	case specs.ActTrap:
		return "trap 0", nil
	case specs.ActErrno:
		if data > maxErrno {
			return "", fmt.Errorf("errno %d is above %d", data, maxErrno)
		}
		return harden.Errno(uint16(data)), nil
	case specs.ActTrace:
		if data > 1<<16-1 {
			return "", fmt.Errorf("trace data %d is above 65535", data)
		}
		return harden.Action(fmt.Sprintf("trace %d", data)), nil
	}
	return "", fmt.Errorf("unknown action %q", act)
}

// actionParts writes an action as the two fields of a rule.
func actionParts(a harden.Action) (specs.LinuxSeccompAction, *uint, error) {
	if err := a.Check(); err != nil {
		return "", nil, err
	}
	switch a {
	case harden.Allow:
		return specs.ActAllow, nil, nil
	case harden.Log:
		return specs.ActLog, nil, nil
	case harden.KillThread:
		return specs.ActKillThread, nil, nil
	case harden.KillProcess:
		return specs.ActKillProcess, nil, nil
	case "trap 0":
		return specs.ActTrap, nil, nil
	}
	verb, text, _ := strings.Cut(string(a), " ")
	n, err := strconv.ParseUint(text, 10, 16)
	data := uint(n)
	switch {
	case err == nil && verb == "errno" && data <= maxErrno:
		return specs.ActErrno, &data, nil
	case err == nil && verb == "trace":
		return specs.ActTrace, &data, nil
	}
	return "", nil, fmt.Errorf("action %q cannot be written in an OCI configuration", string(a))
}
