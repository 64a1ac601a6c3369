package ampersand

import (
	"cmp"
	"context"
	"errors"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/redact"
)

// maxSamples limits the objects that one request samples, because each sample is a call to the
// provider. Further objects are saved unsampled.
const maxSamples = 64

// sampleNew samples the content of a new installation. It fails without sampling if the group has
// an installation of the integration already, because the service would reject a second one.
func (h *Handler) sampleNew(
	c *call, integration *Integration, conn *Connection, cr creation,
) error {
	id, err := c.installationOf(integration.ID, cr.group)
	switch {
	case err != nil:
		return err
	case id != "":
		return existing(installation.ErrExists, id)
	}
	s := Sample{Project: c.project, Integration: integration, Connection: conn}
	return h.sample(c, s, inCreate, nil, cr.content)
}

// sampleChange samples the objects that an update changes or enables. If the update changes the
// connection, sampleChange samples all objects.
func (h *Handler) sampleChange(c *call, ch *change) error {
	if ch.inst.Configuration == nil {
		return nil
	}
	before, err := parseContent(ch.inst)
	if err != nil {
		return err
	}
	after := before
	for _, e := range ch.edits {
		after = put(after, e.path, e.value)
	}
	s := Sample{Project: c.project, Integration: ch.integration, Connection: ch.connection}
	if s.Connection == nil {
		if s.Connection, err = c.connectionOf(ch.inst); err != nil {
			return err
		}
	} else if s.Connection.ID != connectionID(ch.inst) {
		before = nil
	}
	return h.sample(c, s, inUpdate, before, after)
}

// sample calls the Sampler for each scheduled object of the content after a request that is not the
// same before. s has all fields of the Sample except Object and Config. place is the path of the
// content in the body of the request. An error of the Sampler fails the request only if it is a
// [*Rejection]. sample skips a content that is not valid, because the service will reject it.
func (h *Handler) sample(c *call, s Sample, place string, before, after *jsontree.Node) error {
	ctx, cancel := context.WithTimeout(c.Context(), h.opts.Timeout/2)
	defer cancel()
	if violations, err := checkContent(ctx, after); err != nil || len(violations) > 0 {
		return nil
	}
	old := readObjects(before).Lookup()
	samples := 0
	for name, object := range readObjects(after).Children() {
		if !scheduled(object) || object.Equal(old(name)) {
			continue
		}
		if samples == maxSamples || ctx.Err() != nil {
			break
		}
		samples++
		s.Object, s.Config = name, object.Append(nil)
		err := h.opts.Sampler.Sample(ctx, s)
		if r, ok := errors.AsType[*Rejection](err); ok {
			return rejected(r, place+".read.objects."+redact.Name(name))
		}
	}
	if ended := c.Context().Err(); ended != nil {
		return httpapi.Unavailable(ended)
	}
	return nil
}

// scheduled reports whether an object of a valid content has a schedule and is not disabled.
func scheduled(object *jsontree.Node) bool {
	schedule := object.Child("schedule")
	return schedule != nil && schedule.Text() != "" && !isTrue(object.Child("disabled"))
}

// put returns a value with another one at a path, and creates missing objects around the place. It
// returns n if the place cannot be, because the service will reject that.
func put(n *jsontree.Node, path []string, value *jsontree.Node) *jsontree.Node {
	if len(path) == 0 {
		return value
	}
	child := put(cmp.Or(n.Child(path[0]), jsontree.NewObject()), path[1:], value)
	if changed, ok := n.Set(path[:1], child); ok {
		return changed
	}
	return n
}
