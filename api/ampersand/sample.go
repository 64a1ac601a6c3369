package ampersand

import (
	"context"
	"errors"
	"sync"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/schema"
)

// maxSamples is how many objects are tried for one request, the first of them. The rest is saved untried: each takes a call to the provider.
const maxSamples = 64

// sampling is a try of read objects before a content is saved. Only a refusal of the provider counts.
type sampling struct {
	*Handler
	call        *call
	integration *Integration
	conn        *Connection
	at          string // where the content stands in the request
}

// run tries to read one record of each of the objects of a content that nothing but a schedule reads, if wanted says so. A content that the platform
// does not take is not tried, as the service is about to refuse it. A provider that does not answer in its part of the time says nothing.
func (s sampling) run(content *jsontree.Node, wanted func(name string, object *jsontree.Node) bool) error {
	checked := false
	left := maxSamples
	ctx, cancel := context.WithTimeout(s.call.Context(), s.opts.Timeout/2)
	defer cancel()
	for name, object := range content.Child("read").Child("objects").Children() {
		if !scheduled(object) || !wanted(name, object) {
			continue
		}
		if checked = checked || acceptable(ctx, content); !checked || left == 0 || ctx.Err() != nil {
			break
		}
		left--
		err := s.opts.Sampler.Sample(ctx, Sample{
			Project: s.call.proj.ID, Integration: s.integration, Connection: s.conn, Object: name, Config: object.Append(nil),
		})
		if r, ok := errors.AsType[*Refusal](err); ok {
			return refused(s.at+".read.objects."+name, r)
		}
	}
	if ended := s.call.Context().Err(); ended != nil {
		return httpapi.Unavailable(ended)
	}
	return nil
}

// skipSampling reads the parameter of that name.
func skipSampling(q *httpapi.Query) bool { return q.Flag("skipSampling") }

// sampleNew tries a content that is to be installed for a group that has no installation yet.
func (h *Handler) sampleNew(c *call, integration *Integration, conn *Connection, cr *creation) error {
	if h.opts.Sampler == nil {
		return nil
	}
	rows := c.whole.All(c.Context(), installation.ListRequest{
		Extension: integration.ID, Account: cr.group, Status: []installation.Status{installation.StatusInstalled},
	})
	for inst, err := range rows {
		if err != nil {
			return err
		}
		return c.occupied(&installation.ExistsError{Key: installation.Key{Tenant: c.proj.ID}, Holder: inst.ID})
	}
	return sampling{h, c, integration, conn, "config.content"}.run(cr.content, func(string, *jsontree.Node) bool { return true })
}

// sampleChanges tries what an update would change: the objects that differ, those that are enabled again, or all by another connection.
func (h *Handler) sampleChanges(c *call, integration *Integration, inst *installation.Installation, swap *Connection, ch *change) error {
	if h.opts.Sampler == nil || inst.Configuration == nil {
		return nil
	}
	stored, err := jsontree.Parse(inst.Configuration.Document.Bytes(), jsontree.Limits{})
	if err != nil {
		return err
	}
	conn := swap
	if conn == nil {
		if conn, err = h.connectionFor(c, inst); err != nil {
			return err
		}
	}
	swapped := swap != nil && connectionID(inst) != swap.ID
	before := stored.Child("read").Child("objects").Lookup()
	return sampling{h, c, integration, conn, "installation.config.content"}.run(ch.applied(stored), func(name string, object *jsontree.Node) bool {
		was := before(name)
		return swapped || was == nil || !object.Equal(was)
	})
}

// compiled is the schema of config.content.
var compiled = sync.OnceValues(func() (*schema.Schema, error) { return schema.Compile(contentSchema) })

// acceptable reports whether the platform takes a content, whatever the service makes of it.
func acceptable(ctx context.Context, content *jsontree.Node) bool {
	s, err := compiled()
	if err != nil {
		return false
	}
	found, err := s.Check(ctx, schema.Subject{Doc: content})
	return err == nil && len(found) == 0
}

// scheduled reports whether an object is read by a schedule, and not disabled.
func scheduled(object *jsontree.Node) bool {
	if object == nil || object.Kind() != jsontree.Object {
		return false
	}
	schedule := object.Child("schedule")
	return schedule != nil && schedule.Kind() == jsontree.String && schedule.Text() != "" && !disabled(object)
}

func disabled(object *jsontree.Node) bool {
	d := object.Child("disabled")
	return d != nil && d.Kind() == jsontree.Bool && d.Text() == "true"
}
