package servicefile

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxBytes bounds a service file. The parser needs time quadratic in the
// worst document, which is seconds at this size.
const MaxBytes = 64 << 10

// maxDepth bounds how deep mappings and lists nest.
const maxDepth = 12

type nodeKind string

const (
	isMapping nodeKind = "a mapping"
	isList    nodeKind = "a list"
	isText    nodeKind = "text"
	isNumber  nodeKind = "a number"
	isBool    nodeKind = "true or false"
	isNull    nodeKind = "nothing"
)

// A node is the part of YAML that a service file uses: no anchors, aliases,
// tags, directives or complex keys.
type node struct {
	kind    nodeKind
	at      Position
	text    string // of a scalar, as written; of a text, its value
	entries []entry
	items   []*node
}

type entry struct {
	name  string
	at    Position
	value *node
}

// document parses data, which must hold exactly one document.
func document(name string, data []byte) (*node, error) {
	fail := func(at Position, format string, args ...any) (*node, error) {
		p := problems{file: name}
		p.add(at, format, args...)
		return nil, p.err()
	}
	start := Position{1, 1}
	switch {
	case len(data) > MaxBytes:
		return fail(start, "larger than %d bytes", MaxBytes)
	case !utf8.Valid(data):
		return fail(start, "not UTF-8 text")
	case bytes.HasPrefix(data, []byte("\ufeff")):
		return fail(start, "begins with a byte order mark: save the file without one")
	}
	for i, line := range bytes.Split(data, []byte("\n")) {
		if j := bytes.IndexFunc(line, func(r rune) bool { return (r < ' ' && r != '\t' && r != '\r') || r == 0x7f }); j >= 0 {
			return fail(Position{i + 1, utf8.RuneCount(line[:j]) + 1}, "control character %q", line[j])
		}
	}
	file, err := parse(data)
	if err != nil {
		var syntax interface {
			GetToken() *token.Token
			GetMessage() string
		}
		if errors.As(err, &syntax) {
			at := position(syntax.GetToken())
			if indentedWithTab(data, at.Line) {
				return fail(at, "a tab in front of the text: indent with spaces")
			}
			return fail(at, "%s", syntax.GetMessage())
		}
		return fail(start, "%v", err)
	}
	var docs []*ast.DocumentNode
	for _, d := range file.Docs {
		if d.Body != nil {
			docs = append(docs, d)
		}
	}
	if len(docs) == 0 {
		return fail(start, "no document: write at least service, from and run")
	}
	if len(docs) > 1 {
		return fail((&converter{}).convert(docs[1].Body, 0).at, "a second document: one service file holds one service")
	}
	c := &converter{}
	n := c.convert(docs[0].Body, 0)
	if c.problem != nil {
		return fail(c.problem.Position, "%s", c.problem.Text)
	}
	return n, nil
}

// indentedWithTab reports whether the white space that a line begins with holds
// a tab; lines count from one.
func indentedWithTab(data []byte, line int) bool {
	lines := bytes.Split(data, []byte("\n"))
	if line > len(lines) {
		return false
	}
	text := lines[line-1]
	return bytes.ContainsRune(text[:len(text)-len(bytes.TrimLeft(text, " \t"))], '\t')
}

// parse shields the caller from faults of the parser.
func parse(data []byte) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("parse YAML: %v", p)
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

func position(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{1, 1}
	}
	return Position{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

// A converter turns the parser's nodes into ours and keeps the first problem.
type converter struct {
	problem *Problem
}

func (c *converter) fail(n ast.Node, format string, args ...any) *node {
	at := Position{1, 1}
	if n != nil {
		at = position(n.GetToken())
	}
	if c.problem == nil {
		c.problem = &Problem{Position: at, Text: fmt.Sprintf(format, args...)}
	}
	return &node{kind: isNull, at: at}
}

func (c *converter) convert(n ast.Node, depth int) *node {
	if n == nil {
		return c.fail(n, "empty value")
	}
	if depth > maxDepth {
		return c.fail(n, "more than %d levels deep", maxDepth)
	}
	out := &node{at: position(n.GetToken())}
	switch n := n.(type) {
	case *ast.MappingNode:
		return c.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		return c.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.kind = isList
		for _, v := range n.Values {
			out.items = append(out.items, c.convert(v, depth+1))
		}
	case *ast.StringNode:
		out.kind, out.text = isText, n.Value
	case *ast.LiteralNode:
		out.kind, out.text = isText, n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode:
		out.kind, out.text = isNumber, n.GetToken().Value
	case *ast.BoolNode:
		out.kind, out.text = isBool, n.GetToken().Value
	case *ast.NullNode:
		out.kind = isNull
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return c.fail(n, "anchors, aliases and merge keys have no place here: write the value out")
	case *ast.TagNode:
		return c.fail(n, "tags have no place here")
	case *ast.DirectiveNode:
		return c.fail(n, "directives have no place here")
	default:
		return c.fail(n, "%q is not supported here", n.GetToken().Value)
	}
	return out
}

func (c *converter) mapping(out *node, values []*ast.MappingValueNode, depth int) *node {
	out.kind = isMapping
	for i, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			return c.fail(v.Key, "a key must be plain text")
		}
		at := position(key.GetToken())
		if i == 0 {
			out.at = at // the parser's own is the colon
		}
		out.entries = append(out.entries, entry{key.Value, at, c.convert(v.Value, depth+1)})
	}
	return out
}
