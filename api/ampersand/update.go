package ampersand

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
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
		m := mask{in.Strings("updateMask"), in.Object(field)}
		in.Violations().Required("updateMask", in.Node("updateMask").Len() > 0)
		in.Violations().Count("updateMask", len(m.paths), limit)
		in.Require(field)
		return m
	})
}

// at returns the path of an element of updateMask in the body of the request, for violations.
func (m mask) at(i int) string { return fmt.Sprintf("updateMask[%d]", i) }

// patch updates an installation with a mask.
func (h *Handler) patch(c *call) (*httpapi.Answer, error) {
	q := httpapi.ReadQuery(c.Request)
	sampled := !q.Flag("skipSampling") && h.opts.Sampler != nil
	if err := q.Err(); err != nil {
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
	if err := ch.load(c, c.PathValue("installation")); err != nil {
		return nil, err
	}
	if ch.connectionID != "" {
		ch.connection, err = c.choose("installation.connectionId",
			ch.inst.Account.ID, ch.integration.Provider, ch.connectionID)
		if err != nil {
			return nil, err
		}
	}
	if sampled {
		if err := h.sampleChange(c, ch); err != nil {
			return nil, err
		}
	}
	if err := h.save(c, ch); err != nil {
		return nil, updateError(err)
	}
	return c.answer(ch.inst, h.confirmSwap(c, ch))
}

const remedyMask = "Use one of the documented paths: connectionId, config.createdBy, " +
	"config.content.proxy.enabled, config.content.read.objects.<object>, " +
	"config.content.read.objects.<object>.disabled, config.content.write.objects, " +
	"config.content.write.objects.<object>, config.content.subscribe.objects, " +
	"config.content.subscribe.objects.<object>."

// maskReader builds the change that the paths of a mask describe.
type maskReader struct {
	list   *validate.List
	values httpapi.Object // the field installation of the request
	filled *jsontree.Node // its content with complete objects; see fillObjects
	change change
}

// config returns the field config of the request. It has to be an object only if a path names it:
// an SDK can send null for what it does not change. The same holds for content.
func (r *maskReader) config() httpapi.Object { return r.values.Object("config") }

// content returns the field content in config.
func (r *maskReader) content() httpapi.Object { return r.config().Object("content") }

// change returns the change that a mask describes. It ignores values that no path names.
func (m mask) change() (*change, error) {
	r := &maskReader{
		list: m.values.Violations(), values: m.values,
		filled: fillObjects(m.values.Node("config").At([]string{"content"})),
	}
	for i, path := range m.paths {
		r.read(m.at(i), path)
	}
	if err := r.list.Err(); err != nil {
		return nil, withRemedy(httpapi.ProblemOf(err), remedyMask)
	}
	ch := &r.change
	// A switch has the longest path. So it applies to an object that another edit replaces.
	slices.SortStableFunc(ch.edits, func(a, b edit) int { return len(a.path) - len(b.path) })
	for _, e := range ch.edits {
		ch.ops = append(ch.ops, e.operation())
	}
	return ch, nil
}

// read adds one path of the mask to the change. at is the element of updateMask that has the path,
// for violations; see mask.at.
func (r *maskReader) read(at, path string) {
	switch path {
	case "connectionId":
		r.list.Required(at, r.values.Has("connectionId"))
		r.change.connectionID = r.values.String("connectionId")
		r.list.ID("installation.connectionId", r.change.connectionID)
	case "config.createdBy":
		r.list.Required(at, r.config().Has("createdBy"))
		r.change.createdBy = readCreator(r.config())
	case "config.content.proxy.enabled":
		r.list.Required(at, r.content().Object("proxy").Bool("enabled") != nil)
		r.replace("proxy", "enabled")
	default:
		r.readObjectPath(at, path)
	}
}

// readObjectPath adds the path of an object, of its switch, or of all objects. Clients send an
// object name with dots either as it is or with a backslash before each dot.
func (r *maskReader) readObjectPath(at, path string) {
	pointer, _ := patch.Pointer(path)
	names, _ := jsontree.ParsePointer(pointer) // config, content, kind, objects, name
	known := len(names) >= 4 && names[0] == "config" && names[1] == "content" &&
		slices.Contains([]string{"read", "write", "subscribe"}, names[2]) && names[3] == "objects"
	if !known || names[2] == "read" && len(names) == 4 {
		r.list.Add(at, validate.RuleUnknown, "is not an allowed path")
		return
	}
	kind, name, last := names[2], strings.Join(names[4:], "."), len(names)-1
	switch {
	case last == 3:
		r.list.Required(at, r.content().Object(kind).Has("objects"))
		r.replace(kind, "objects")
	case kind == "read" && last > 4 && names[last] == "disabled" &&
		r.toggle(strings.TrimSuffix(name, ".disabled")):
	default:
		r.list.Required(at, r.content().Object(kind).Object("objects").Has(name))
		r.replace(kind, "objects", name)
	}
}

// toggle adds the switch of a read object. It returns false if the request has no value for it.
func (r *maskReader) toggle(name string) bool {
	object := r.content().Object("read").Object("objects").Object(name)
	if object.Bool("disabled") == nil {
		return false
	}
	r.change.edits = append(r.change.edits, edit{
		masked.Set, []string{"read", "objects", name, "disabled"}, object.Node("disabled"),
	})
	return true
}

// replace adds an edit that replaces the value at a path in the content with the value in the
// request.
func (r *maskReader) replace(path ...string) {
	r.change.edits = append(r.change.edits, edit{masked.Put, path, r.filled.At(path)})
}
