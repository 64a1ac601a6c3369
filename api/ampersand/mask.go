package ampersand

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/patch"
	"github.com/go-installation/installation/validate"
)

// change is what a request changes of an installation.
type change struct {
	connection string                   // id of another one; "" = it stays
	createdBy  string                   // of the configuration; "" = it stays
	ops        []installation.Operation // on the content
	paths      []string                 // in the content of the request that are to be put in place of what is stored
	toggles    map[string]bool          // read objects that are disabled or not
	content    *jsontree.Node           // of the request
}

// Paths of an update mask that have no object in them.
const (
	maskConnection = "connectionId"
	maskCreatedBy  = "config.createdBy"
	maskProxy      = "config.content.proxy.enabled"
	maskContent    = "config.content."
)

// remedyMask names the paths that an update of an installation takes.
const remedyMask = "Use one of the documented paths: connectionId, config.createdBy, config.content.proxy.enabled, " +
	"config.content.read.objects.<object>, config.content.read.objects.<object>.disabled, " +
	"config.content.write.objects, config.content.write.objects.<object>, " +
	"config.content.subscribe.objects, config.content.subscribe.objects.<object>."

// readUpdate reads the body of PATCH. What no path of the mask names does not matter.
func readUpdate(body *jsontree.Node) (*change, error) {
	var l validate.List
	in := httpapi.ReadObject(body, "", &l)
	in.Require("updateMask", "installation")
	mask := in.Strings("updateMask")
	if in.Has("updateMask") && in.Node("updateMask").Len() == 0 {
		l.Add("updateMask", validate.RuleRequired, "must name at least one path")
	}
	l.Count("updateMask", len(mask), validate.MaxEdits)
	inst := in.Object("installation")
	if err := l.Err(); err != nil {
		return nil, err
	}
	ch := &change{toggles: make(map[string]bool), content: inst.Object("config").Node("content")}
	for i, path := range mask {
		ch.read(&l, fmt.Sprintf("updateMask[%d]", i), path, inst)
	}
	if err := l.Err(); err != nil {
		return nil, withRemedy(httpapi.ProblemOf(err), remedyMask)
	}
	return ch, ch.operations()
}

// operations makes operations of the paths and switches.
func (ch *change) operations() error {
	if len(ch.paths) > 0 {
		text := ch.content.Append(nil)
		defer clear(text)
		ops, err := patch.FromMask(text, ch.paths...)
		if err != nil {
			return err
		}
		ch.ops = ops
	}
	for _, name := range slices.Sorted(maps.Keys(ch.toggles)) {
		ch.ops = append(ch.ops, setDisabled(name, ch.toggles[name]))
	}
	return nil
}

// read takes over what one path of the mask names; at is where the path stands in the request.
func (ch *change) read(l *validate.List, at, path string, inst httpapi.Object) {
	content := inst.Object("config").Object("content")
	switch path {
	case maskConnection:
		ch.connection = inst.String("connectionId")
		if l.Required(at, inst.Has("connectionId")); inst.Has("connectionId") {
			l.ID("installation.connectionId", ch.connection)
		}
		return
	case maskCreatedBy:
		config := inst.Object("config")
		ch.createdBy = config.String("createdBy")
		l.Required(at, config.Has("createdBy"))
		checkCreator(l, config.Path("createdBy"), config)
		return
	case maskProxy:
		proxy := content.Object("proxy")
		if l.Required(at, proxy.Bool("enabled") != nil); proxy.Has("enabled") {
			ch.put("proxy.enabled")
		}
		return
	}
	kind, rest, _ := strings.Cut(strings.TrimPrefix(path, maskContent), ".")
	known := strings.HasPrefix(path, maskContent) && (kind == "read" || kind == "write" || kind == "subscribe")
	objects := content.Object(kind).Object("objects")
	switch name, ok := strings.CutPrefix(rest, "objects."); {
	case known && rest == "objects" && kind != "read":
		if l.Required(at, content.Object(kind).Has("objects")); content.Object(kind).Has("objects") {
			ch.put(kind + ".objects")
		}
	case !known || !ok || name == "":
		l.Add(at, validate.RuleUnknown, "is not an allowed path")
	case kind == "read" && ch.toggle(l, name, objects):
	default:
		ch.replace(l, at, kind, name, objects)
	}
}

// toggle takes over the switch of a read object, if the path ends in one and there is one in the request.
func (ch *change) toggle(l *validate.List, path string, objects httpapi.Object) bool {
	escaped, ok := strings.CutSuffix(path, ".disabled")
	name, plain := unescape(escaped)
	if !ok || !plain || objects.Node(name) == nil {
		return false
	}
	object := objects.Object(name)
	off := object.Bool("disabled")
	if !object.Has("disabled") {
		return false
	}
	if off != nil {
		ch.toggles[name] = *off
	}
	return true
}

// replace takes over a whole object. Clients send names with dots in them with backslashes before these, or as they are.
func (ch *change) replace(l *validate.List, at, kind, path string, objects httpapi.Object) {
	name, ok := unescape(path)
	if !ok || name == "" {
		l.Add(at, validate.RuleFormat, `must be names with dots between them, in which \ stands before each . : / \`)
		return
	}
	object := objects.Node(name)
	if l.Required(at, object != nil); object == nil {
		return
	}
	ch.put(kind + ".objects." + escape(name))
}

// put takes over what stands at a path of the content in which names are escaped.
func (ch *change) put(path string) { ch.paths = append(ch.paths, path) }

// applied is what becomes of a content. What the service refuses to do to it is left out.
func (ch *change) applied(content *jsontree.Node) *jsontree.Node {
	for _, path := range ch.paths {
		pointer, err := patch.Pointer(path)
		if tokens, also := jsontree.ParsePointer(pointer); err == nil && also == nil {
			content = with(content, tokens, ch.content.At(tokens))
		}
	}
	for name, off := range ch.toggles {
		if value, err := jsontree.Parse([]byte(strconv.FormatBool(off)), jsontree.Limits{}); err == nil {
			content = with(content, []string{"read", "objects", name, "disabled"}, value)
		}
	}
	return content
}

// with puts a value into n, and objects around it where there are none.
func with(n *jsontree.Node, tokens []string, value *jsontree.Node) *jsontree.Node {
	for i := 1; i <= len(tokens); i++ {
		next := jsontree.NewObject()
		switch {
		case i == len(tokens):
			next = value
		case n.At(tokens[:i]) != nil:
			continue
		}
		if changed, ok := n.Set(tokens[:i], next); ok {
			n = changed
		}
	}
	return n
}

// setDisabled is the operation that turns the reading of an object off or on. The object has to be there.
func setDisabled(name string, off bool) installation.Operation {
	return patch.Set(jsontree.JoinPointer("read", "objects", name, "disabled"), installation.JSON(strconv.FormatBool(off)))
}

// special are the characters that clients put a backslash before.
const special = `.:/\`

// escape writes a name for a path of an update mask.
func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if strings.IndexByte(special, name[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// unescape undoes escape, and leaves a dot that has no backslash what it is. ok is false for a backslash at the end.
func unescape(name string) (_ string, ok bool) {
	var b strings.Builder
	escaped := false
	for i := range len(name) {
		if name[i] == '\\' && !escaped {
			escaped = true
			continue
		}
		b.WriteByte(name[i])
		escaped = false
	}
	return b.String(), !escaped
}
