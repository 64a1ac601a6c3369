package ampersand

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/redact"
	"github.com/go-installation/installation/internal/schema"
)

// errHostJSON means that JSON of the host does not have the form that clients need. Its text names
// the first bad place, and no value.
var errHostJSON = errors.New("ampersand: JSON of the host is not valid")

// hostSchemas has a JSON Schema for each kind of JSON that the host gives.
//
//go:embed host.json
var hostSchemas []byte

// Kinds of JSON in hostSchemas.
const (
	kindRevision  = "revision"
	kindOperation = "operation"
	kindBackfill  = "backfill"
	kindProvider  = "provider"
	kindMetadata  = "objectMetadata"
)

var compiledHostSchemas = sync.OnceValues(func() (map[string]*schema.Schema, error) {
	all := make(map[string]*schema.Schema)
	for _, kind := range []string{
		kindRevision, kindOperation, kindBackfill, kindProvider, kindMetadata,
	} {
		text := bytes.Replace(hostSchemas, []byte(`{`), []byte(`{"$ref":"#/$defs/`+kind+`",`), 1)
		s, err := schema.Compile(text)
		if err != nil {
			return nil, err
		}
		all[kind] = s
	}
	return all, nil
})

// hostLimits are the limits of JSON of the host, such as the fields of a large object.
var hostLimits = jsontree.Limits{Bytes: 8 << 20, Values: 500_000}

// hostJSON returns JSON of the host after edit has added what the handler knows. It fails if the
// result does not have the form of its kind, because clients then reject the whole answer.
func hostJSON(
	ctx context.Context, kind string, text json.RawMessage,
	edit func(*jsontree.Node) *jsontree.Node,
) (json.RawMessage, error) {
	fail := func(place string, err error) (json.RawMessage, error) {
		return nil, httpapi.Internal(fmt.Errorf("%w: %s%s: %w", errHostJSON, kind, place, err))
	}
	n, err := jsontree.Parse(text, hostLimits)
	if err != nil {
		return fail("", err)
	}
	n = edit(n)
	schemas, err := compiledHostSchemas()
	if err != nil {
		return fail("", err)
	}
	violations, err := schemas[kind].Check(ctx, schema.Subject{Doc: n})
	switch {
	case ctx.Err() != nil:
		return nil, httpapi.Unavailable(ctx.Err())
	case err != nil:
		return fail("", err)
	case len(violations) > 0:
		v := violations[0]
		return fail(redact.Path(v.Pointer), errors.New(v.Detail()))
	}
	return n.Append(nil), nil
}

// revisionContent returns the content of a revision. A content without a name or a provider gets
// those of the integration, because clients reject a whole list for one that lacks them.
func (c *call) revisionContent(i *Integration, text json.RawMessage) (json.RawMessage, error) {
	return c.content(i, text, func(content *jsontree.Node) *jsontree.Node { return content })
}

// hydratedContent is revisionContent with the names to display. The host gives the names that the
// provider has, and each other object and field is displayed by its own name.
func (c *call) hydratedContent(i *Integration, text json.RawMessage) (json.RawMessage, error) {
	field := func(_ string, f *jsontree.Node) *jsontree.Node { return display(f, "fieldName") }
	return c.content(i, text, func(content *jsontree.Node) *jsontree.Node {
		content = rewriteAt(content, func(_ string, o *jsontree.Node) *jsontree.Node {
			o = display(o, "objectName")
			for _, list := range []string{
				"requiredFields", "optionalFields", "allFields", "allFieldsMetadata",
			} {
				o = rewriteAt(o, field, list)
			}
			return o
		}, "read", "objects")
		return rewriteAt(content, func(_ string, o *jsontree.Node) *jsontree.Node {
			return display(o, "objectName")
		}, "write", "objects")
	})
}

// content returns the content of a revision after edit.
func (c *call) content(
	i *Integration, text json.RawMessage, edit func(*jsontree.Node) *jsontree.Node,
) (json.RawMessage, error) {
	if len(text) == 0 {
		text = json.RawMessage(`{}`)
	}
	return hostJSON(c.Context(), kindRevision, text, func(n *jsontree.Node) *jsontree.Node {
		n = fillName(fillName(n, "name", i.Name), "provider", i.Provider)
		return edit(rewriteAt(n, func(_ string, o *jsontree.Node) *jsontree.Node {
			return fill(o, `{"destination":"","schedule":""}`)
		}, "read", "objects"))
	})
}

// display gives an object the member displayName, which is the text of another member by default.
func display(o *jsontree.Node, member string) *jsontree.Node {
	if name := o.Child(member); name != nil && name.Kind() == jsontree.String {
		return fillName(o, "displayName", name.Text())
	}
	return o
}
