package patch

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/operation"
	"github.com/go-installation/installation/validate"
)

// FromJSON reads a JSON Patch (RFC 6902). It supports add, remove, replace and test. Secrets have
// the same rules as in [Set] and [Test]: "***" keeps a secret, and a test of a secret fails.
// FromJSON rejects move and copy, because sealing binds a secret to its place.
//
// The error is a [*validate.Error] with paths below "patch". FromJSON does not check whether the
// places exist. The write does.
func FromJSON(patch []byte) ([]installation.Operation, error) {
	tree, err := masked.Parse("patch", patch)
	if err != nil {
		return nil, err
	}
	var l validate.List
	if tree.Kind() != jsontree.Array {
		l.Add("patch", validate.RuleFormat, "must be an array of operations")
		return nil, l.Err()
	}
	l.Count("patch", tree.Len(), validate.MaxEdits)
	ops := make([]installation.Operation, 0, tree.Len())
	for token, step := range tree.Children() {
		ops = append(ops, readStep(&l, "patch/"+token, step))
	}
	if err := l.Err(); err != nil {
		return nil, err
	}
	return ops, nil
}

// stepKinds are the supported operations of RFC 6902.
var stepKinds = map[string]masked.OpKind{
	"add": masked.Add, "remove": masked.Remove, "replace": masked.SetExisting,
	"test": masked.Test,
}

// readStep reads one operation of a JSON Patch. It ignores unknown members, as RFC 6902 requires.
func readStep(l *validate.List, path string, step *jsontree.Node) installation.Operation {
	var none installation.Operation
	if step.Kind() != jsontree.Object {
		l.Add(path, validate.RuleFormat, "must be an object")
		return none
	}
	op, ok := memberText(l, path, step, "op")
	kind := stepKinds[op]
	if ok && kind == "" {
		detail := "must be add, remove, replace or test"
		if op == "move" || op == "copy" {
			detail = "is not supported, because secrets are bound to their place: " +
				"use remove and add, and give the secrets"
		}
		l.Add(path+"/op", validate.RuleUnknown, detail)
		return none // op decides which other members are needed
	}
	pointer, _ := memberText(l, path, step, "path")
	if _, err := jsontree.ParsePointer(pointer); err != nil {
		l.Add(path+"/path", validate.RuleFormat, "must be a JSON Pointer")
	}
	if kind == masked.Remove {
		return operation.New(kind, pointer, crypto.Secret{})
	}
	value := step.Child("value")
	if l.Required(path+"/value", value != nil); value == nil {
		return none
	}
	return operation.New(kind, pointer, textOf(value))
}

// textOf returns the JSON text of a node.
func textOf(n *jsontree.Node) crypto.Secret {
	text := n.Append(nil)
	defer clear(text)
	return crypto.SecretFromBytes(text)
}

// memberText returns the text of a member that must be a string. Otherwise it adds a violation and
// returns false.
func memberText(l *validate.List, path string, n *jsontree.Node, name string) (string, bool) {
	v := n.Child(name)
	switch {
	case v == nil:
		l.Required(path+"/"+name, false)
	case v.Kind() != jsontree.String:
		l.Add(path+"/"+name, validate.RuleFormat, "must be a string")
	default:
		return v.Text(), true
	}
	return "", false
}

// FromMerge reads a merge patch (RFC 7396). Null removes a member, and any other value sets the
// member. Members that the patch does not name stay, including secrets. "***" keeps the secret at
// its place. An array is replaced as a whole.
//
// The error is a [*validate.Error] with paths below "patch".
func FromMerge(patch []byte) ([]installation.Operation, error) {
	tree, err := masked.Parse("patch", patch)
	if err != nil {
		return nil, err
	}
	if tree.Kind() != jsontree.Object {
		var l validate.List
		l.Add("patch", validate.RuleFormat, "must be an object")
		return nil, l.Err()
	}
	return []installation.Operation{operation.New(masked.Merge, "", textOf(tree))}, nil
}

// FromMask reads an update mask. Each path names a place in document. The value there replaces the
// whole stored value at the same place. Missing objects around the place are created, but missing
// arrays are not. Everything that no path names stays. See [Pointer] for the form of a path.
//
// The error is a [*validate.Error] with paths such as "updateMask[0]", for example for a path that
// names nothing in the document.
func FromMask(document []byte, paths ...string) ([]installation.Operation, error) {
	tree, err := masked.Parse("document", document)
	if err != nil {
		return nil, err
	}
	var l validate.List
	l.Required("updateMask", len(paths) > 0)
	l.Count("updateMask", len(paths), validate.MaxEdits)
	ops := make([]installation.Operation, 0, len(paths))
	for i, path := range paths {
		at := fmt.Sprintf("updateMask[%d]", i)
		tokens, ok := splitPath(path)
		if !ok {
			l.Add(at, validate.RuleFormat, pathFormat)
			continue
		}
		value := tree.At(tokens)
		if value == nil {
			l.Add(at, validate.RuleNotFound, "names nothing in the document")
			continue
		}
		array := ""
		for n := range tokens {
			if tree.At(tokens[:n]).Kind() == jsontree.Array {
				array = jsontree.JoinPointer(tokens[:n]...)
			}
		}
		ops = append(ops, operation.NewPut(jsontree.JoinPointer(tokens...), array, textOf(value)))
	}
	if err := l.Err(); err != nil {
		return nil, err
	}
	return ops, nil
}

const pathFormat = `must be names separated by dots, with \ before each . : / \ of a name`

// Pointer returns the JSON Pointer for a path of an update mask: names separated by dots. A
// backslash makes the next character a literal part of the name. Clients write a backslash before
// each dot, colon, slash and backslash of a name. The error is a [*validate.Error].
func Pointer(path string) (string, error) {
	tokens, ok := splitPath(path)
	if !ok {
		var l validate.List
		l.Add("path", validate.RuleFormat, pathFormat)
		return "", l.Err()
	}
	return jsontree.JoinPointer(tokens...), nil
}

// splitPath returns false for a path without names, with an empty name, or with a
// backslash at its end.
func splitPath(path string) ([]string, bool) {
	var tokens []string
	var name strings.Builder
	escaped := false
	for _, c := range []byte(path + ".") {
		switch {
		case escaped:
			name.WriteByte(c)
			escaped = false
		case c == '\\':
			escaped = true
		case c != '.':
			name.WriteByte(c)
		case name.Len() == 0:
			return nil, false
		default:
			tokens = append(tokens, name.String())
			name.Reset()
		}
	}
	return tokens, !escaped && name.Len() == 0 && utf8.ValidString(path)
}
