package ampersand

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/redact"
	"github.com/go-installation/installation/internal/schema"
)

// errHostJSON means that JSON of the host does not have the form that clients need. Its text names
// the first bad place, and no value.
var errHostJSON = errors.New("ampersand: JSON of the host is not valid")

// hostSchema has a property for each kind of JSON that the host gives.
//
//go:embed host.json
var hostSchema []byte

// Each of these checks a value with an embedded schema.
var (
	checkHost    = checker(hostSchema)
	checkContent = checker(contentSchema)
)

// checker returns a function that checks values with a schema. It compiles the schema once.
func checker(text []byte) func(context.Context, *jsontree.Node) ([]schema.Violation, error) {
	compile := sync.OnceValues(func() (*schema.Schema, error) { return schema.Compile(text) })
	return func(ctx context.Context, n *jsontree.Node) ([]schema.Violation, error) {
		s, err := compile()
		if err != nil {
			return nil, err
		}
		return s.Check(ctx, schema.Subject{Doc: n})
	}
}

// hostLimits are the limits of JSON of the host, such as the fields of a large object.
var hostLimits = jsontree.Limits{Bytes: 8 << 20, Values: 500_000}

// hostJSON returns JSON of the host after edit has added what the handler knows. No text is an
// empty object. It fails if the result does not have the form of its kind, which is the name of a
// property of hostSchema. Clients would reject the whole answer.
func hostJSON(
	ctx context.Context, kind string, text json.RawMessage,
	edit func(*jsontree.Node) *jsontree.Node,
) (json.RawMessage, error) {
	if len(text) == 0 {
		text = json.RawMessage(`{}`)
	}
	n, err := jsontree.Parse(text, hostLimits)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errHostJSON, kind, err)
	}
	n = edit(n)
	whole, _ := jsontree.NewObject().Set([]string{kind}, n)
	violations, err := checkHost(ctx, whole)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("%w: %s: %w", errHostJSON, kind, err)
	case len(violations) > 0:
		v := violations[0]
		return nil, fmt.Errorf("%w: %s: %s", errHostJSON, redact.Path(v.Pointer)[1:], v.Detail())
	}
	return n.Append(nil), nil
}

// revisionContent returns the content of a revision after edit. A content without a name or a
// provider gets those of the integration, because clients reject a whole list for one that lacks
// them.
func (c *call) revisionContent(
	i *Integration, text json.RawMessage, edit func(*jsontree.Node) *jsontree.Node,
) (json.RawMessage, error) {
	return hostJSON(c.Context(), "revision", text, func(n *jsontree.Node) *jsontree.Node {
		n = rewriteAt(n, func(_ string, o *jsontree.Node) *jsontree.Node {
			return fill(o, members{"destination": "", "schedule": ""})
		}, "read", "objects")
		return fill(edit(n), members{"name": i.Name, "provider": i.Provider})
	})
}

// unchanged is an edit that changes nothing.
func unchanged(n *jsontree.Node) *jsontree.Node { return n }

// displayed returns a value with the names to display. The host gives the names that the provider
// has. Each other object and field, also one further inside, is displayed by its own name.
func displayed(n *jsontree.Node) *jsontree.Node {
	n = n.Rewrite(func(_ string, child *jsontree.Node) *jsontree.Node { return displayed(child) })
	for _, member := range []string{"objectName", "fieldName"} {
		if name := n.Child(member); name != nil && name.Kind() == jsontree.String {
			n = fill(n, members{"displayName": name.Text()})
		}
	}
	return n
}
