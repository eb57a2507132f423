package reflect

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// nobody is the user and group of the reflector: the kernel's overflow id, the
// owner of nothing.
const nobody = 65534

// maxCapability bounds the search for the kernel's last capability.
const maxCapability = 63

// shed gives up, for the calling thread and so for what it forks, the whole
// capability bounding set, the inheritable set and the way back by
// set-user-ID programs. Permitted and effective capabilities go when the child
// becomes [nobody] (capabilities(7), effect of user ID changes).
func shed() error {
	for c := uintptr(0); c <= maxCapability; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err == unix.EINVAL && c > 0 {
			break // behind the last one that this kernel knows
		}
		if err != nil {
			return fmt.Errorf("drop capability %d from the bounding set: %w", c, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("clear inheritable capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}
