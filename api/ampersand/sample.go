package ampersand

import (
	"errors"

	"github.com/go-installation/installation/internal/httpapi"
	"github.com/go-installation/installation/internal/jsontree"
)

// sampleAll tries to read one record of each object that is read by a schedule.
func (h *Handler) sampleAll(c *call, integration *Integration, conn *Connection, content *jsontree.Node) error {
	for name, object := range content.Child("read").Child("objects").Children() {
		if err := h.sample(c, integration, conn, name, object); err != nil {
			return err
		}
	}
	return nil
}

// sample tries to read one record of an object, unless nothing reads it of itself. Only a refusal of the provider counts.
func (h *Handler) sample(c *call, integration *Integration, conn *Connection, name string, object *jsontree.Node) error {
	if h.opts.Sampler == nil || !scheduled(object) {
		return nil
	}
	err := h.opts.Sampler.Sample(c.Context(), Sample{
		Project: c.proj.ID, Integration: integration, Connection: conn, Object: name, Config: object.Append(nil),
	})
	if r, ok := errors.AsType[*Refusal](err); ok {
		return refused("config.content.read.objects."+name, r)
	}
	if ended := c.Context().Err(); ended != nil {
		return httpapi.Unavailable(ended)
	}
	return nil
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
