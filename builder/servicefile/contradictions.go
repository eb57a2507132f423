package servicefile

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/profiles"
)

// contradictions reports keys that cannot both hold.
func (d *decoder) contradictions(f *File) {
	at := func(key string) Position { return d.at[key] }
	if f.Kind == "job" {
		if f.Stated.Network.Listen.IsAny() || len(f.Stated.Network.Listen.Members()) > 0 {
			d.add(at("boundary.listen"), "a job listens nowhere: leave listen out, or write kind: server")
		}
		for _, e := range f.Stated.Network.Connect.Members() {
			if !loopback(e) {
				d.add(at("boundary.connect"), "a job reaches loopback at most, not %s: write kind: server", e)
			}
		}
		if f.Stated.Network.Connect.IsAny() {
			d.add(at("boundary.connect"), "a job reaches loopback at most, not any destination")
		}
	}
	if p, err := profiles.Get(f.Profile); f.Profile != "" && err == nil && p.Kind != f.Kind {
		d.add(at("boundary.profile"), "boundary.profile: %s is for a %s, and kind is %s", f.Profile, p.Kind, f.Kind)
	}
	if f.Immutability == "strict" && len(f.Files.Scratch) > 0 {
		d.add(at("boundary.files.scratch"), "immutability: strict means no scratch at all")
	}
	covered := map[string]string{}
	for i, s := range f.Files.Scratch {
		covered[s.At] = fmt.Sprintf("boundary.files.scratch[%d]", i)
	}
	for _, m := range f.Stated.Mounts.Members() {
		if key := covered[m.At]; key != "" {
			d.add(at(key), "%s is scratch and a mount at once", m.At)
		}
		covered[m.At] = cmp.Or(covered[m.At], "boundary.mounts")
	}
	for place, key := range covered {
		if order.Beneath(f.Run.Args[0], place) {
			d.add(at(key), "the mount at %s would hide the program %s", place, f.Run.Args[0])
		}
	}
	for i, a := range f.Files.Add {
		if err := checkAdd(a, covered); err != nil {
			d.add(at(fmt.Sprintf("boundary.files.add[%d]", i)), "%v", err)
		}
	}
}

func loopback(e grant.Endpoint) bool {
	host, block, _, err := e.Split()
	return err == nil && (host == "localhost" || (block.IsValid() && block.Addr().IsLoopback() && block.Bits() >= minBits))
}

func checkAdd(a Add, covered map[string]string) error {
	if a.To == "/" {
		return errors.New("a file cannot be added at /")
	}
	for _, k := range kept {
		if order.Beneath(a.To, k) {
			return fmt.Errorf("nothing can be added at %s", a.To)
		}
	}
	for place := range covered {
		if order.Beneath(a.To, place) && place != a.To {
			return fmt.Errorf("the mount at %s would hide %s", place, a.To)
		}
	}
	return nil
}
