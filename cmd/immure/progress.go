package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// A progress shows what long work is at: on a terminal only, on one line.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	shown    bool
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

const clearLine = "\r\x1b[K"

// step shows a stage, with how far it is when total is known.
func (p *progress) step(stage string, done, total int64) {
	if !p.terminal {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = true
	text := oneLine(stage)
	if total > 0 {
		text += fmt.Sprintf(" %d%%", done*100/total)
	}
	fmt.Fprint(p.w, clearLine+text+" …")
}

// notice says something that the author should know.
func (p *progress) notice(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.w, "immure: note: %s\n", oneLine(message))
}

// done takes the line away.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, clearLine)
		p.shown = false
	}
}
