package rootfs

import "path"

// An index holds, for each path, the paths one name below it: those of nodes
// and those that lead to nodes. Without it every removal would look at the
// whole tree, which a layer of many whiteouts makes quadratic.
type index map[string]map[string]struct{}

// needIndex builds the index of t unless it is there.
func (t *Tree) needIndex() {
	if t.index != nil {
		return
	}
	t.index = make(index)
	for p := range t.nodes {
		t.index.add(p)
	}
}

func (x index) add(p string) {
	for p != "/" {
		dir := path.Dir(p)
		kids := x[dir]
		if _, ok := kids[p]; ok {
			return
		}
		if kids == nil {
			kids = make(map[string]struct{})
			x[dir] = kids
		}
		kids[p] = struct{}{}
		p = dir
	}
}

// remove forgets p and all beneath it and calls gone with each of them.
func (x index) remove(p string, gone func(string)) {
	for kid := range x[p] {
		x.remove(kid, gone)
	}
	delete(x, p)
	delete(x[path.Dir(p)], p)
	gone(p)
}
