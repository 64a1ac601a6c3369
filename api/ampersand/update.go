package ampersand

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// mask is the body of an update. It has paths, and an object with the new values at the paths.
type mask struct {
	paths  []string       // the field updateMask
	values httpapi.Object // the field installation or connection
}

// readMask reads a mask with at least one and at most limit paths. field is the name of the field
// with the values.
func readMask(r *http.Request, field string, limit int) (mask, error) {
	return httpapi.Read(r, func(in httpapi.Object) mask {
		in.Require("updateMask", field)
		m := mask{in.Strings("updateMask"), in.Object(field)}
		l := in.Violations()
		if in.Has("updateMask") && in.Node("updateMask").Len() == 0 {
			l.Add("updateMask", validate.RuleRequired, "must name at least one path")
		}
		l.Count("updateMask", len(m.paths), limit)
		return m
	})
}

// at returns the path of an element of updateMask in the body of the request, for violations.
func (m mask) at(i int) string { return fmt.Sprintf("updateMask[%d]", i) }

// names reports whether a path begins with prefix. The type of a value that no path names does not
// matter, so an SDK can send null for it.
func (m mask) names(prefix string) bool {
	return slices.ContainsFunc(m.paths, func(p string) bool { return strings.HasPrefix(p, prefix) })
}

// patch updates an installation with a mask.
func (h *Handler) patch(c *call) (*httpapi.Answer, error) {
	skip, err := httpapi.ReadQuery(c.Request, skipSampling)
	if err != nil {
		return nil, err
	}
	guard, err := httpapi.Condition(c.Request)
	if err != nil {
		return nil, err
	}
	m, err := readMask(c.Request, "installation", validate.MaxEdits)
	if err != nil {
		return nil, err
	}
	ch, err := m.change()
	if err != nil {
		return nil, err
	}
	if ch.createdBy != "" {
		if ch.createdBy, err = c.creator(ch.createdBy); err != nil {
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
	if ch.connectionID != "" {
		ch.connection, err = c.choose("installation.connectionId",
			inst.Account.ID, integration.Provider, ch.connectionID)
		if err != nil {
			return nil, err
		}
	}
	if guard.Revision != 0 && guard.Revision != inst.Revision {
		return nil, installation.ErrConflict
	}
	if !skip {
		if err := h.sampleChange(c, integration, inst, ch); err != nil {
			return nil, err
		}
	}
	saved, err := h.save(c, integration, inst, ch, guard)
	if err != nil {
		return nil, updateError(err)
	}
	return c.answer(saved, h.confirmSwap(c, saved, ch))
}

const remedyMask = "Use one of the documented paths: connectionId, config.createdBy, " +
	"config.content.proxy.enabled, config.content.read.objects.<object>, " +
	"config.content.read.objects.<object>.disabled, config.content.write.objects, " +
	"config.content.write.objects.<object>, config.content.subscribe.objects, " +
	"config.content.subscribe.objects.<object>."

// maskReader builds the change that the paths of a mask describe.
type maskReader struct {
	list    *validate.List
	values  httpapi.Object // the field installation of the request
	config  httpapi.Object // the field config in values
	content httpapi.Object // the field content in config
	filled  *jsontree.Node // content with complete objects; see fillObjects

	change  change
	toggled []edit // edits of "disabled"; see toggle
}

// change returns the change that a mask describes. It ignores values that no path names.
func (m mask) change() (*change, error) {
	r := &maskReader{list: m.values.Violations(), values: m.values}
	if m.names("config.") {
		r.config = m.values.Object("config")
	}
	if m.names("config.content.") {
		r.content, r.filled = r.config.Object("content"), fillObjects(r.config.Node("content"))
	}
	for i, path := range m.paths {
		r.read(m.at(i), path)
	}
	if err := r.list.Err(); err != nil {
		return nil, withRemedy(httpapi.ProblemOf(err), remedyMask)
	}
	return r.withOperations()
}

// read adds one path of the mask to the change. Here and below, at is the element of updateMask
// that has the path, for violations; see mask.at.
func (r *maskReader) read(at, path string) {
	switch path {
	case "connectionId":
		r.change.connectionID = r.values.String("connectionId")
		if r.required(at, r.values, "connectionId") {
			r.list.ID("installation.connectionId", r.change.connectionID)
		}
		return
	case "config.createdBy":
		r.change.createdBy = readCreator(r.config)
		r.required(at, r.config, "createdBy")
		return
	case "config.content.proxy.enabled":
		r.list.Required(at, r.content.Object("proxy").Bool("enabled") != nil)
		r.replace("proxy", "enabled")
		return
	}
	content, known := strings.CutPrefix(path, "config.content.")
	kind, rest, _ := strings.Cut(content, ".")
	known = known && (kind == "read" || kind == "write" || kind == "subscribe")
	name, named := strings.CutPrefix(rest, "objects.")
	switch {
	case known && rest == "objects" && kind != "read":
		r.required(at, r.content.Object(kind), "objects")
		r.replace(kind, "objects")
	case !known || !named || name == "":
		r.list.Add(at, validate.RuleUnknown, "is not an allowed path")
	case kind == "read" && r.toggle(name):
	default:
		r.replaceObject(at, kind, name)
	}
}

// required reports whether an object has a member. It adds a violation if the member is missing.
func (r *maskReader) required(at string, in httpapi.Object, name string) bool {
	r.list.Required(at, in.Has(name))
	return in.Has(name)
}

// toggle adds a path that ends in "disabled", the switch of a read object. It returns false if the
// path has another end, or if the request has no value for the switch.
func (r *maskReader) toggle(path string) bool {
	escaped, ok := strings.CutSuffix(path, ".disabled")
	name, valid := unescape(escaped)
	objects := r.content.Object("read").Object("objects")
	if !ok || !valid || !objects.Has(name) {
		return false
	}
	object := objects.Object(name)
	object.Bool("disabled") // adds a violation for another type
	if !object.Has("disabled") {
		return false
	}
	r.toggled = append(r.toggled, edit{
		path: []string{"read", "objects", name, "disabled"}, value: object.Node("disabled"),
	})
	return true
}

// replaceObject adds the path of an object. Clients send an object name with dots either as it is
// or with a backslash before each dot.
func (r *maskReader) replaceObject(at, kind, path string) {
	name, ok := unescape(path)
	if !ok || name == "" {
		r.list.Add(at, validate.RuleFormat,
			`must be names with dots between them, in which \ stands before each . : / \`)
		return
	}
	r.required(at, r.content.Object(kind).Object("objects"), name)
	r.replace(kind, "objects", name)
}

// replace adds an edit that replaces the value at a path in the content with the value in the
// request.
func (r *maskReader) replace(path ...string) {
	r.change.edits = append(r.change.edits, edit{path, r.filled.At(path)})
}

// withOperations returns the change with operations for its edits. The operations on switches come
// last, so that they apply to objects that the other edits replace.
func (r *maskReader) withOperations() (*change, error) {
	ch := &r.change
	if len(ch.edits) > 0 {
		var paths []string
		for _, e := range ch.edits {
			path := ""
			for _, name := range e.path {
				path += "." + escape(name)
			}
			paths = append(paths, path[1:])
		}
		text := r.filled.Append(nil)
		defer clear(text)
		ops, err := patch.FromMask(text, paths...)
		if err != nil {
			return nil, err
		}
		ch.ops = ops
	}
	for _, e := range r.toggled {
		ch.ops = append(ch.ops, setDisabled(e.path[2], isTrue(e.value)))
	}
	ch.edits = append(ch.edits, r.toggled...)
	return ch, nil
}

// escape returns a name for a path of a mask: it puts a backslash before each special character.
var escape = strings.NewReplacer(`.`, `\.`, `:`, `\:`, `/`, `\/`, `\`, `\\`).Replace

// unescape undoes escape. It keeps special characters that have no backslash before them. ok is
// false if the last character is an unescaped backslash.
func unescape(name string) (_ string, ok bool) {
	var b strings.Builder
	escaped := false
	for i := range len(name) {
		escaped = name[i] == '\\' && !escaped
		if !escaped {
			b.WriteByte(name[i])
		}
	}
	return b.String(), !escaped
}
