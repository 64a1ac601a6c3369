package ampersand

import (
	"fmt"
	"iter"
	"net/http"
	"slices"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/validate"
)

// contentPatch is the body of PATCH of config-content.
type contentPatch struct {
	group        string
	installation string
	action       string
	changes      *jsontree.Node
}

// readContentPatch reads the body of PATCH of config-content of an object.
func readContentPatch(body *jsontree.Node, object string) (*contentPatch, error) {
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	in.Require("action", "changes")
	p := &contentPatch{
		group: in.String("groupRef"), installation: in.String("installationId"), action: in.String("action"), changes: in.Node("changes"),
	}
	switch {
	case in.Has("groupRef") && in.Has("installationId"):
		l.Add("installationId", validate.RuleExclusive, "must not be given together with groupRef")
	case in.Has("groupRef"):
		l.ID("groupRef", p.group)
	case in.Has("installationId"):
		l.ID("installationId", p.installation)
	default:
		l.Add("installationId", validate.RuleRequired, "is required, or groupRef is")
	}
	if in.Has("action") {
		validate.Enum(&l, "action", p.action, "read", "subscribe", "write")
	}
	around := jsontree.JoinPointer(p.action, "objects", object)
	switch {
	case len(around) >= validate.MaxPointer:
		l.Add(inPath+"object", validate.RuleTooLong, "is too long for any object to have")
	case in.Has("changes"):
		checkChanges(&l, around, p.changes)
	}
	return p, l.Err()
}

// checkChanges demands a JSON Patch of add, remove and replace below the object, which has a pointer around these.
func checkChanges(l *validate.List, around string, changes *jsontree.Node) {
	if changes.Kind() != jsontree.Array || changes.Len() == 0 {
		l.Add("changes", validate.RuleFormat, "must be an array of at least one change")
		return
	}
	l.Count("changes", changes.Len(), validate.MaxEdits)
	for i, step := range changes.Children() {
		at := fmt.Sprintf("changes[%s]", i)
		in := httpapi.ReadObject(step, at, l)
		in.Require("op", "path")
		op := in.String("op")
		if in.Has("op") {
			validate.Enum(l, at+".op", op, "add", "remove", "replace")
		}
		if op != "remove" {
			in.Require("value")
		}
		path := in.String("path")
		switch tokens, err := jsontree.ParsePointer(path); {
		case len(around)+len(path) > validate.MaxPointer:
			l.Add(at+".path", validate.RuleTooLong, fmt.Sprintf("must have at most %d bytes below this object", validate.MaxPointer-len(around)))
		case in.Has("path") && (err != nil || len(tokens) == 0):
			l.Add(at+".path", validate.RuleFormat, "must be a JSON Pointer that starts with /")
		}
	}
}

// patchContent edits the configuration of one object by a JSON Patch.
func (h *Handler) patchContent(c *call) (*httpapi.Answer, error) {
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	p, err := readContentPatch(body, c.PathValue("object"))
	if err != nil {
		return nil, err
	}
	integration, err := h.integration(c)
	if err != nil {
		return nil, err
	}
	inst, err := c.find(p)
	if err != nil {
		return nil, err
	}
	text := p.changes.Append(nil)
	defer clear(text)
	ops, err := installation.JSONPatch(text)
	if err != nil {
		return nil, err
	}
	for i := range ops {
		ops[i] = ops[i].Below(jsontree.JoinPointer(p.action, "objects", c.PathValue("object")))
	}
	saved, err := h.save(c, integration, inst, nil, &change{ops: ops}, guard)
	if err != nil {
		return nil, err
	}
	return h.answer(c, saved)
}

// find returns the installation that a patch is of.
func (c *call) find(p *contentPatch) (*installation.Installation, error) {
	if p.installation != "" {
		return c.installed(p.installation)
	}
	if !c.builder() && p.group != c.group {
		return nil, httpapi.NotFound()
	}
	rows := c.whole.All(c.Context(), installation.ListRequest{
		Extension: c.PathValue("integration"), Account: p.group, Status: []installation.Status{installation.StatusInstalled},
	})
	next, stop := iter.Pull2(rows)
	defer stop()
	inst, err, ok := next()
	switch {
	case !ok:
		return nil, httpapi.NotFound()
	case err != nil:
		return nil, err
	}
	return c.installed(inst.ID)
}

func (h *Handler) pause(c *call) (*httpapi.Answer, error) { return h.setPaused(c, true) }

func (h *Handler) unpause(c *call) (*httpapi.Answer, error) { return h.setPaused(c, false) }

// setPaused disables read objects, or enables them: those that the body names, or all. Objects that are so already are left alone, so that doing it
// again does nothing.
func (h *Handler) setPaused(c *call, paused bool) (*httpapi.Answer, error) {
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	body, err := httpapi.Document(c.Request)
	if err != nil {
		return nil, err
	}
	wanted, err := readPause(body)
	if err != nil {
		return nil, err
	}
	inst, err := c.installed(c.PathValue("installation"))
	if err != nil {
		return nil, err
	}
	integration, err := h.integration(c)
	if err != nil {
		return nil, err
	}
	ch, err := pauseOf(inst, wanted, paused)
	if err != nil {
		return nil, err
	}
	if guard.Revision != 0 && guard.Revision != inst.Revision {
		return nil, installation.ErrConflict
	}
	for ops := range slices.Chunk(ch.ops, validate.MaxEdits) {
		if inst, err = h.save(c, integration, inst, nil, &change{ops: ops}, guard); err != nil {
			return nil, err
		}
		guard.Revision = 0 // the rest follows from it
	}
	return &httpapi.Answer{Status: http.StatusNoContent}, nil
}

// readPause reads the body of a pause, if there is one. nil is all objects.
func readPause(body *jsontree.Node) ([]string, error) {
	if body == nil {
		return nil, nil
	}
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	names := in.Strings("objects")
	l.Count("objects", len(names), validate.MaxEdits)
	l.Text("note", in.String("note"), validate.MaxMessage)
	return names, l.Err()
}

// pauseOf is the change that pauses read objects of an installation, or ends that.
func pauseOf(inst *installation.Installation, wanted []string, paused bool) (*change, error) {
	ch := new(change)
	if inst.Configuration == nil {
		return ch, nil
	}
	content, err := jsontree.Parse(inst.Configuration.Document.Bytes(), jsontree.Limits{})
	if err != nil {
		return nil, err
	}
	objects := content.Child("read").Child("objects")
	var l validate.List
	for i, name := range wanted {
		if objects.Child(name) == nil {
			l.Add(fmt.Sprintf("objects[%d]", i), validate.RuleUnknown, "is no object that is read")
		}
	}
	for name, object := range objects.Children() {
		if (wanted == nil || slices.Contains(wanted, name)) && disabled(object) != paused {
			ch.ops = append(ch.ops, setDisabled(name, paused))
		}
	}
	return ch, l.Err()
}
