package installation

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/validate"
)

// JSONPatch reads a JSON Patch (RFC 6902) as operations on a configuration. add, remove, replace and test do what they do there, with the
// rules for secrets: "***" keeps one, and test refuses to look at one. move and copy are refused, since a secret is bound to its place.
//
// The error is a [*validate.Error] with paths below "patch". Whether the places exist is found out when the operations are applied.
func JSONPatch(patch []byte) ([]Operation, error) {
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
	ops := make([]Operation, 0, tree.Len())
	for token, step := range tree.Children() {
		ops = append(ops, patchStep(&l, "patch/"+token, step))
	}
	if err := l.Err(); err != nil {
		return nil, err
	}
	return ops, nil
}

// patchKinds are the operations of RFC 6902 that are taken.
var patchKinds = map[string]masked.OpKind{"add": masked.Add, "remove": masked.Remove, "replace": masked.SetExisting, "test": masked.Test}

// patchStep reads one operation of a JSON Patch. Members that RFC 6902 does not name are ignored, as it demands.
func patchStep(l *validate.List, path string, step *jsontree.Node) Operation {
	if step.Kind() != jsontree.Object {
		l.Add(path, validate.RuleFormat, "must be an object")
		return Operation{}
	}
	op, ok := textOf(l, path, step, "op")
	if ok && patchKinds[op] == "" {
		detail := "must be add, remove, replace or test"
		if op == "move" || op == "copy" {
			detail = "is not supported, as secrets are bound to their place: use remove and add, and give the secrets"
		}
		l.Add(path+"/op", validate.RuleUnknown, detail)
		return Operation{} // what else it needs depends on what it is
	}
	o := Operation{kind: patchKinds[op]}
	o.pointer, _ = textOf(l, path, step, "path")
	if _, err := jsontree.ParsePointer(o.pointer); err != nil {
		l.Add(path+"/path", validate.RuleFormat, "must be a JSON Pointer")
	}
	if o.kind == masked.Remove {
		return o
	}
	value := step.Child("value")
	if l.Required(path+"/value", value != nil); value != nil {
		o.value = JSON(value.Append(nil))
	}
	return o
}

// textOf returns a member that must be a string.
func textOf(l *validate.List, path string, n *jsontree.Node, name string) (string, bool) {
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

// MergePatch reads a merge patch (RFC 7396) as an operation on a configuration: null removes a member, other members are set, and those
// that it does not name stay, secrets among them. "***" keeps the secret at its place. An array is replaced as a whole.
//
// The error is a [*validate.Error] with paths below "patch".
func MergePatch(patch []byte) ([]Operation, error) {
	tree, err := masked.Parse("patch", patch)
	if err != nil {
		return nil, err
	}
	if tree.Kind() != jsontree.Object {
		return nil, invalid("patch", validate.RuleFormat, "must be an object")
	}
	return []Operation{{kind: masked.Merge, value: JSON(tree.Append(nil))}}, nil
}

// UpdateMask reads an update mask as operations on a configuration: each path names a place in the given document, and what stands there
// takes the place of what is stored at the same one, as a whole; objects around it are made where there are none, arrays are not. What no
// path names stays. For the form of a path see [PathPointer].
//
// The error is a [*validate.Error] with paths like "updateMask[0]", among others for one that names nothing in the document.
func UpdateMask(document []byte, paths ...string) ([]Operation, error) {
	tree, err := masked.Parse("document", document)
	if err != nil {
		return nil, err
	}
	var l validate.List
	l.Required("updateMask", len(paths) > 0)
	l.Count("updateMask", len(paths), validate.MaxEdits)
	ops := make([]Operation, 0, len(paths))
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
		put := Operation{kind: masked.Put, pointer: jsontree.JoinPointer(tokens...), value: JSON(value.Append(nil))}
		for n := range tokens {
			if tree.At(tokens[:n]).Kind() == jsontree.Array {
				put.array = jsontree.JoinPointer(tokens[:n]...)
			}
		}
		ops = append(ops, put)
	}
	if err := l.Err(); err != nil {
		return nil, err
	}
	return ops, nil
}

// Below returns the operation for a value that stands at a pointer (RFC 6901) in the configuration, for an operation that was written for
// that value alone.
func (o Operation) Below(pointer string) Operation {
	o.pointer = pointer + o.pointer
	if o.array != "" {
		o.array = pointer + o.array
	}
	return o
}

const pathFormat = `must be names with dots between them, in which \ stands before each . : / \`

// PathPointer returns the JSON Pointer for a path of an update mask: names with dots between them. A backslash takes the character behind
// it for what it is, as clients write it before each dot, colon, slash and backslash of a name. The error is a [*validate.Error].
func PathPointer(path string) (string, error) {
	tokens, ok := splitPath(path)
	if !ok {
		return "", invalid("path", validate.RuleFormat, pathFormat)
	}
	return jsontree.JoinPointer(tokens...), nil
}

// splitPath reports false for a path without names, with an empty one, or with a backslash at its end.
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
