package softwareone

import (
	"net/http"

	"github.com/go-installation/installation/internal/httpapi"
)

var errSoon = &httpapi.Problem{Status: http.StatusNotImplemented, Message: "Not implemented yet."}

func (h *Handler) list(*call) (httpapi.Answer, error)   { return httpapi.Answer{}, errSoon }
func (h *Handler) get(*call) (httpapi.Answer, error)    { return httpapi.Answer{}, errSoon }
func (h *Handler) post(*call) (httpapi.Answer, error)   { return httpapi.Answer{}, errSoon }
func (h *Handler) put(*call) (httpapi.Answer, error)    { return httpapi.Answer{}, errSoon }
func (h *Handler) delete(*call) (httpapi.Answer, error) { return httpapi.Answer{}, errSoon }
func (h *Handler) redeem(*call) (httpapi.Answer, error) { return httpapi.Answer{}, errSoon }
func (h *Handler) mint(*call) (httpapi.Answer, error)   { return httpapi.Answer{}, errSoon }
