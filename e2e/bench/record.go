package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/google/renameio/v2"
)

// The output stands between these two lines of a Markdown file.
const (
	recordBegin = "<!-- output of scripts/bench -->\n```\n"
	recordEnd   = "```\n<!-- end of output -->\n"
)

// record replaces the output that a Markdown file holds.
func record(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	replaced, err := replace(old, text)
	if err != nil {
		return fmt.Errorf("record in %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, replaced, 0o644); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func replace(old []byte, text string) ([]byte, error) {
	before, rest, ok := bytes.Cut(old, []byte(recordBegin))
	_, after, ended := bytes.Cut(rest, []byte(recordEnd))
	if !ok || !ended {
		return nil, errors.New("no place for the output is marked")
	}
	return fmt.Appendf(nil, "%s%s%s%s%s", before, recordBegin, text, recordEnd, after), nil
}
