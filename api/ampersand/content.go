package ampersand

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// contentPatch is the body of PATCH of config-content. Either group or installation is set.
type contentPatch struct {
	group        string // groupRef
	installation string // ID
	ops          []installation.Operation
}

// readContentPatch returns a function that reads the body for the object in the path.
func readContentPatch(object string) func(httpapi.Object) contentPatch {
	return func(in httpapi.Object) contentPatch {
		l, action := in.Violations(), in.String("action")
		in.Require("changes")
		p := contentPatch{group: in.String("groupRef"), installation: in.String("installationId")}
		l.OptionalID("groupRef", p.group)
		l.OptionalID("installationId", p.installation)
		if (p.group == "") == (p.installation == "") {
			l.Add("installationId", validate.RuleExclusive, "must be given, or else groupRef")
		}
		validate.Enum(l, "action", action, "read", "subscribe", "write")
		pointer := jsontree.JoinPointer(action, "objects", object)
		switch {
		case len(pointer) >= validate.MaxPointer:
			l.Add(inPath+"object", validate.RuleTooLong, "is too long for any object to have")
		case in.Has("changes"):
			p.ops = readChanges(l, in.Node("changes"), pointer)
		}
		return p
	}
}

// readChanges reads a JSON Patch of add, remove and replace, with paths in the value at a pointer.
func readChanges(l *validate.List, n *jsontree.Node, pointer string) []installation.Operation {
	text := n.Append(nil)
	defer clear(text)
	ops, err := patch.FromJSON(text)
	_ = l.Merge(err) // has only violations
	l.Required("changes", err != nil || len(ops) > 0)
	for i, op := range ops {
		at := fmt.Sprintf("patch/%d/", i)
		if op.Kind() == masked.Test {
			l.Add(at+"op", validate.RuleUnknown, "is not supported")
		}
		l.Required(at+"path", op.Pointer() != "")
		checkLength(l, at+"path", op.Pointer(), validate.MaxPointer-len(pointer))
		ops[i] = op.Below(pointer)
	}
	return ops
}

// patchContent changes the configuration of one object with a JSON Patch.
func (h *Handler) patchContent(c *call) (*httpapi.Answer, error) {
	p, err := httpapi.Read(c.Request, readContentPatch(c.PathValue("object")))
	if err != nil {
		return nil, err
	}
	if p.installation == "" {
		p.installation, err = c.installationOf(c.PathValue("integration"), p.group)
		if err != nil {
			return nil, err
		}
	}
	ch := &change{ops: p.ops}
	if err := ch.load(c, p.installation); err != nil {
		return nil, err
	}
	if err := h.save(c, ch); err != nil {
		return nil, err
	}
	return c.answer(ch.inst, nil)
}

func (h *Handler) pause(c *call) (*httpapi.Answer, error) { return h.setPaused(c, true) }

func (h *Handler) unpause(c *call) (*httpapi.Answer, error) { return h.setPaused(c, false) }

// setPaused disables or enables read objects, which are the objects that the integration reads from
// the provider. The body lists their names. Without a body or a list, setPaused acts on all read
// objects. It skips objects that are already in the wanted state, so a repeat changes nothing.
func (h *Handler) setPaused(c *call, paused bool) (*httpapi.Answer, error) {
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	names, err := httpapi.ReadNode(cmp.Or(body, jsontree.NewObject()), readPause)
	if err != nil {
		return nil, err
	}
	var ch change
	if err := ch.load(c, c.PathValue("installation")); err != nil {
		return nil, err
	}
	ops, err := pauseOperations(ch.inst, names, paused)
	if err != nil {
		return nil, err
	}
	for ch.ops = range slices.Chunk(ops, validate.MaxEdits) {
		if err := h.save(c, &ch); err != nil {
			return nil, err
		}
		ch.guard.Revision = 0 // the first chunk has changed the revision
	}
	return nil, nil
}

// readPause reads the body of :pause or :unpause. It returns names of objects, nil for all objects.
func readPause(in httpapi.Object) []string {
	names, l := in.Strings("objects"), in.Violations()
	l.Count("objects", len(names), validate.MaxEdits)
	l.Text("note", in.String("note"), validate.MaxMessage)
	return names
}

// pauseOperations returns the operations that disable or enable read objects. names are the names
// of the objects, nil for all.
func pauseOperations(
	inst *installation.Installation, names []string, paused bool,
) ([]installation.Operation, error) {
	if inst.Configuration == nil {
		return nil, nil
	}
	content, err := parseContent(inst)
	if err != nil {
		return nil, err
	}
	objects := readObjects(content)
	var l validate.List
	for i, name := range names {
		if objects.Child(name) == nil {
			l.Add(fmt.Sprintf("objects[%d]", i), validate.RuleUnknown, "is no object that is read")
		}
	}
	var ops []installation.Operation
	for name, object := range objects.Children() {
		wanted := names == nil || slices.Contains(names, name)
		if wanted && isTrue(object.Child("disabled")) != paused {
			pointer := jsontree.JoinPointer("read", "objects", name, "disabled")
			value := installation.JSON(strconv.FormatBool(paused))
			ops = append(ops, patch.Set(pointer, value))
		}
	}
	return ops, l.Err()
}

// parseContent returns the stored content of an installation, which must have a configuration.
func parseContent(inst *installation.Installation) (*jsontree.Node, error) {
	return jsontree.Parse(inst.Configuration.Document.Bytes(), jsontree.Limits{})
}

// readObjects returns the member read.objects of a content, which has the read objects by name. It
// returns nil if there is no such member.
func readObjects(content *jsontree.Node) *jsontree.Node {
	return content.Child("read").Child("objects")
}

// fillObjects returns the content of an update, which can be nil, with complete read objects. A
// client that creates an installation has to send all members of a read object, and one that
// updates it may leave them out.
func fillObjects(content *jsontree.Node) *jsontree.Node {
	return rewriteAt(content, func(name string, object *jsontree.Node) *jsontree.Node {
		object = fill(object, members{"objectName": name})
		return fill(object, json.RawMessage(`{"selectedFields":{},"selectedFieldMappings":{}}`))
	}, "read", "objects")
}

// rewriteAt returns n with each child of the value at a path replaced by the result of f. Without
// such a value it returns n.
func rewriteAt(
	n *jsontree.Node, f func(string, *jsontree.Node) *jsontree.Node, path ...string,
) *jsontree.Node {
	value := n.At(path)
	if value == nil {
		return n
	}
	n, _ = n.Set(path, value.Rewrite(f))
	return n
}

// members are members of a JSON object that are strings.
type members map[string]string

// fill adds the absent ones of some members to an object. It returns other values as they are.
// defaults is encoded as a JSON object.
func fill(object *jsontree.Node, defaults any) *jsontree.Node {
	text, _ := json.Marshal(defaults) // invalid JSON is no object
	added, err := jsontree.Parse(text, jsontree.Limits{})
	if err != nil || object.Kind() != jsontree.Object {
		return object
	}
	for name, value := range added.Children() {
		if object.Child(name) == nil {
			object, _ = object.Set([]string{name}, value)
		}
	}
	return object
}

// isTrue reports whether n is the JSON value true. n can be nil.
func isTrue(n *jsontree.Node) bool {
	return n != nil && n.Kind() == jsontree.Bool && n.Text() == "true"
}
