package tree

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/immure-dev/immure/internal/rootfs"
)

// hashContents gives the file digest of each regular file in nodes, at the same
// index. Chunks are spread over all processors, so that one large file is as
// quick as many small ones.
func hashContents(ctx context.Context, nodes []*rootfs.Node) ([]sum, error) {
	sums := make([]sum, len(nodes))
	var files []*file
	var jobs []job
	for i, n := range nodes {
		if n.Type != rootfs.Regular {
			continue
		}
		if h, ok := n.Content.(*hashed); ok {
			if h.size != n.Size {
				return nil, fmt.Errorf("%q: content holds %d bytes, its node says %d", n.Path, h.size, n.Size)
			}
			sums[i] = h.sum
			continue
		}
		f := newFile(n, &sums[i])
		files = append(files, f)
		for c := range max(1, chunkCount(n.Size)) {
			jobs = append(jobs, job{f, c})
		}
	}
	err := run(ctx, jobs)
	for _, f := range files {
		f.close()
	}
	return sums, err
}

// A job is one chunk of one file.
type job struct {
	file  *file
	index int64
}

// run does all jobs and gives the error of the first one, in order of jobs,
// that failed. No goroutine outlives it.
func run(ctx context.Context, jobs []job) error {
	var (
		next   atomic.Int64
		failed atomic.Bool
		wg     sync.WaitGroup
		mu     sync.Mutex
		first  = len(jobs)
		err    error
	)
	work := func() {
		c := newChunkHash()
		for !failed.Load() && ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(jobs) {
				return
			}
			j := jobs[i]
			if e := j.file.hash(c, j.index); e != nil {
				failed.Store(true)
				mu.Lock()
				if i < first {
					first, err = i, fmt.Errorf("%q: %w", j.file.node.Path, e)
				}
				mu.Unlock()
			}
		}
	}
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		wg.Go(work)
	}
	wg.Wait()
	return cmp.Or(context.Cause(ctx), err)
}

// A file is a regular file whose chunks are hashed in any order.
type file struct {
	node   *rootfs.Node
	result *sum
	chunks []sum
	left   atomic.Int64 // chunks not yet hashed

	once   sync.Once // opens
	err    error
	r      io.ReadCloser
	at     io.ReaderAt // nil when r can only be read from its beginning
	closed bool
}

func newFile(n *rootfs.Node, result *sum) *file {
	f := &file{node: n, result: result, chunks: make([]sum, chunkCount(n.Size))}
	f.left.Store(int64(max(1, len(f.chunks))))
	return f
}

// hash hashes chunk i; the whole file in place of chunk 0 when it can only be
// read from its beginning.
func (f *file) hash(c *chunkHash, i int64) error {
	f.once.Do(func() {
		if f.r, f.err = f.node.Content.Open(); f.err == nil {
			f.at, _ = f.r.(io.ReaderAt)
		}
	})
	if f.err != nil {
		return f.err
	}
	if f.at == nil {
		return f.hashStream(c, i)
	}
	if i < int64(len(f.chunks)) {
		size := chunkSize(f.node.Size, i)
		s, err := c.chunk(io.NewSectionReader(f.at, i*chunkBytes, size), size)
		if err != nil {
			return err
		}
		f.chunks[i] = s
	}
	if f.left.Add(-1) > 0 {
		return nil
	}
	// The last one to finish sees what all others wrote.
	*f.result = fileSum(f.node.Size, f.chunks)
	err := c.end(io.NewSectionReader(f.at, f.node.Size, 1))
	f.close()
	return err
}

func (f *file) hashStream(c *chunkHash, i int64) (err error) {
	if i == 0 {
		*f.result, err = c.stream(f.r, f.node.Size)
		f.close()
	}
	return err
}

// close is called by whoever finishes the file, and once more after all
// goroutines have ended.
func (f *file) close() {
	if f.r != nil && !f.closed {
		f.closed = true
		f.r.Close()
	}
}
