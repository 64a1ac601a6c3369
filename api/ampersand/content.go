package ampersand

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// contentPatch is the body of PATCH of config-content. Either group or installation is set.
type contentPatch struct {
	group        string         // groupRef
	installation string         // ID
	object       string         // JSON Pointer of the object in the content
	changes      *jsontree.Node // a JSON Patch with paths in the object
}

// readContentPatch returns a function that reads the body for the object in the path.
func readContentPatch(object string) func(httpapi.Object) contentPatch {
	return func(in httpapi.Object) contentPatch {
		l, action := in.Violations(), in.String("action")
		in.Require("action", "changes")
		p := contentPatch{
			group: in.String("groupRef"), installation: in.String("installationId"),
			object:  jsontree.JoinPointer(action, "objects", object),
			changes: in.Node("changes"),
		}
		switch {
		case in.Has("groupRef") && in.Has("installationId"):
			l.Add("installationId", validate.RuleExclusive,
				"must not be given together with groupRef")
		case in.Has("groupRef"):
			l.ID("groupRef", p.group)
		case in.Has("installationId"):
			l.ID("installationId", p.installation)
		default:
			l.Add("installationId", validate.RuleRequired, "is required, or groupRef is")
		}
		if in.Has("action") {
			validate.Enum(l, "action", action, "read", "subscribe", "write")
		}
		switch {
		case len(p.object) >= validate.MaxPointer:
			l.Add(inPath+"object", validate.RuleTooLong, "is too long for any object to have")
		case in.Has("changes"):
			p.validateChanges(l)
		}
		return p
	}
}

// validateChanges rejects changes that are not a JSON Patch of add, remove and replace.
func (p contentPatch) validateChanges(l *validate.List) {
	if p.changes.Kind() != jsontree.Array || p.changes.Len() == 0 {
		l.Add("changes", validate.RuleFormat, "must be an array of at least one change")
		return
	}
	l.Count("changes", p.changes.Len(), validate.MaxEdits)
	longest := validate.MaxPointer - len(p.object)
	for i, step := range p.changes.Children() {
		in := httpapi.ReadObject(step, fmt.Sprintf("changes[%s]", i), l)
		in.Require("op", "path")
		op, path := in.String("op"), in.String("path")
		if in.Has("op") {
			validate.Enum(l, in.Path("op"), op, "add", "remove", "replace")
		}
		if op != "remove" {
			in.Require("value")
		}
		tokens, err := jsontree.ParsePointer(path)
		switch {
		case len(path) > longest:
			l.Add(in.Path("path"), validate.RuleTooLong,
				fmt.Sprintf("must have at most %d bytes below this object", longest))
		case in.Has("path") && (err != nil || len(tokens) == 0):
			l.Add(in.Path("path"), validate.RuleFormat, "must be a JSON Pointer that starts with /")
		}
	}
}

// patchContent changes the configuration of one object with a JSON Patch.
func (h *Handler) patchContent(c *call) (*httpapi.Answer, error) {
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	p, err := httpapi.Read(c.Request, readContentPatch(c.PathValue("object")))
	if err != nil {
		return nil, err
	}
	integration, err := c.integration()
	if err != nil {
		return nil, err
	}
	if p.installation == "" {
		if !c.builder() && p.group != c.group {
			return nil, installation.ErrNotFound
		}
		if p.installation, err = c.installationOf(integration.ID, p.group); err != nil {
			return nil, err
		}
	}
	inst, err := c.find(p.installation)
	if err != nil {
		return nil, err
	}
	text := p.changes.Append(nil)
	defer clear(text)
	ops, err := patch.FromJSON(text)
	if err != nil {
		return nil, err
	}
	for i := range ops {
		ops[i] = ops[i].Below(p.object)
	}
	return c.answer(h.save(c, integration, inst, &change{ops: ops}, guard))
}

func (h *Handler) pause(c *call) (*httpapi.Answer, error) { return h.setPaused(c, true) }

func (h *Handler) unpause(c *call) (*httpapi.Answer, error) { return h.setPaused(c, false) }

// setPaused disables or enables read objects, which are the objects that the integration reads from
// the provider. The body lists their names. Without a body or a list, setPaused acts on all read
// objects. It skips objects that are already in the wanted state, so a repeat changes nothing.
func (h *Handler) setPaused(c *call, paused bool) (*httpapi.Answer, error) {
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	var names []string // nil = all
	if body != nil {
		if names, err = httpapi.ReadNode(body, readPause); err != nil {
			return nil, err
		}
	}
	inst, err := c.find(c.PathValue("installation"))
	if err != nil {
		return nil, err
	}
	integration, err := c.integration()
	if err != nil {
		return nil, err
	}
	ops, err := pauseOperations(inst, names, paused)
	if err != nil {
		return nil, err
	}
	if guard.Revision != 0 && guard.Revision != inst.Revision {
		return nil, installation.ErrConflict
	}
	for some := range slices.Chunk(ops, validate.MaxEdits) {
		if inst, err = h.save(c, integration, inst, &change{ops: some}, guard); err != nil {
			return nil, err
		}
		guard.Revision = 0 // the first chunk has changed the revision
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
			ops = append(ops, setDisabled(name, paused))
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
