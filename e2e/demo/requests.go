package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// object is a part of a runtime configuration.
type object = map[string]any

// request writes a copy of hello's config.json with one thing changed.
func (d *demo) request(file string, change func(config object)) error {
	data, err := os.ReadFile(d.path("config.json"))
	if err != nil {
		return err
	}
	var config object
	if err := json.Unmarshal(data, &config); err != nil {
		return fmt.Errorf("read config.json: %w", err)
	}
	change(config)
	if data, err = json.MarshalIndent(config, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(d.path(file), data, 0o600)
}

func moreCapability(config object) {
	capabilities := config["process"].(object)["capabilities"].(object)
	bounding, _ := capabilities["bounding"].([]any) // absent when empty
	capabilities["bounding"] = append(bounding, "CAP_SYS_ADMIN")
}

func writableRoot(config object) { config["root"].(object)["readonly"] = false }

func hostMount(config object) {
	config["mounts"] = append(config["mounts"].([]any), object{
		"destination": "/host", "type": "bind", "source": "/", "options": []string{"rbind", "rw"},
	})
}

func noSeccomp(config object) { delete(config["linux"].(object), "seccomp") }

func hostPIDs(config object) {
	linux := config["linux"].(object)
	var rest []any
	for _, n := range linux["namespaces"].([]any) {
		if n.(object)["type"] != "pid" {
			rest = append(rest, n)
		}
	}
	linux["namespaces"] = rest
}

func hostCwd(config object) { config["process"].(object)["cwd"] = "/proc/self/fd/7" }

func preload(config object) {
	process := config["process"].(object)
	process["env"] = append(process["env"].([]any), "LD_PRELOAD=/tmp/evil.so")
}
