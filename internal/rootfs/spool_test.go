package rootfs

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s, err := NewSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	contents := make([]Content, 20)
	var wg sync.WaitGroup
	for i := range contents {
		wg.Go(func() {
			text := strings.Repeat(fmt.Sprint(i), i)
			var err error
			if contents[i], err = s.Put(iotest.OneByteReader(strings.NewReader(text)), int64(len(text))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, c := range contents {
		for range 2 {
			got := read(t, &Node{Content: c})
			if want := strings.Repeat(fmt.Sprint(i), i); string(got) != want {
				t.Errorf("content %d: got %q, want %q", i, got, want)
			}
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("spool shows in its directory: %v, %v", names, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := contents[5].Open(); err == nil {
		_, err = r.Read(make([]byte, 1))
		refused(t, err, "closed")
	}
}

func TestSpoolRefuses(t *testing.T) {
	s := spool(t)
	_, err := s.Put(strings.NewReader("abc"), 2)
	refused(t, err, "longer")
	_, err = s.Put(strings.NewReader("abc"), 4)
	refused(t, err, "unexpected EOF")
	_, err = s.Put(strings.NewReader("abc"), 0)
	refused(t, err, "longer")
	_, err = s.Put(iotest.ErrReader(os.ErrDeadlineExceeded), 4)
	refused(t, err, "timeout")
	c, err := s.Put(strings.NewReader("xyz"), 3)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, &Node{Content: c}); string(got) != "xyz" {
		t.Errorf("after refusals: got %q", got)
	}
	_, err = NewSpool("/nonexistent")
	refused(t, err, "no such file")
}
