package grant

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/immure-dev/immure/harden/order"
)

// An AppArmor is the confinement by a profile: "enforce NAME", "complain NAME"
// or "unconfined", which is the top. "enforce" and "complain" without a name
// are any profile in that mode. The empty string is not stated.
//
// The name of a profile that immure renders carries the digest of its body, so
// that one name is one content.
type AppArmor string

// The confinements without a profile's name.
const (
	AppArmorEnforce    AppArmor = "enforce"
	AppArmorUnconfined AppArmor = "unconfined"
)

var appArmorModes = order.Chain{"enforce", "complain", "unconfined"}

// Profile returns the mode and the profile's name, empty for any.
func (a AppArmor) Profile() (mode order.Level, name string) {
	m, name, _ := strings.Cut(string(a), " ")
	return order.Level(m), name
}

// Check reports a malformed confinement, or one that is not stated.
func (a AppArmor) Check() error {
	mode, name := a.Profile()
	if err := appArmorModes.Check(mode); err != nil {
		return err
	}
	if (mode == "unconfined" && a != AppArmorUnconfined) || string(a) == string(mode)+" " {
		return fmt.Errorf("apparmor %q: write enforce NAME, complain NAME or unconfined", string(a))
	}
	if name != "" {
		return checkText(name)
	}
	return nil
}

// Over returns a when limit asks for a stricter mode or another profile.
func (a AppArmor) Over(limit AppArmor) []string {
	mode, name := a.Profile()
	least, want := limit.Profile()
	if appArmorModes.Over(mode, least) == nil && (want == "" || want == name) {
		return nil
	}
	return []string{string(a)}
}

// Meet returns the stricter mode with the profile that both accept.
func (a AppArmor) Meet(b AppArmor) (AppArmor, error) {
	mode1, name1 := a.Profile()
	mode2, name2 := b.Profile()
	mode, err := appArmorModes.Meet(mode1, mode2)
	if err != nil {
		return "", err
	}
	if name1 != "" && name2 != "" && name1 != name2 {
		return "", order.ErrConflict
	}
	return AppArmor(strings.TrimSpace(string(mode) + " " + cmp.Or(name1, name2))), nil
}
