package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/go-installation/installation/api/httpapi"
	"github.com/go-installation/installation/validate"
)

// A host adds an endpoint of its own, with its own form of errors.
func Example() {
	api := httpapi.New(httpapi.Config{
		Render: func(p *httpapi.Problem) *httpapi.Answer {
			body := map[string]any{"code": p.Code}
			for _, issue := range p.Issues {
				body[issue.Path] = issue.Detail
			}
			return &httpapi.Answer{Status: p.Status, Body: body}
		},
	})
	type order struct {
		item    string
		options []string
	}
	readOrder := func(in httpapi.Object) order {
		o := order{item: in.String("item"), options: in.Strings("options")}
		in.Violations().ID("item", o.item)
		in.Violations().Count("options", len(o.options), 3)
		return o
	}
	api.Handle("/orders/{customer}", httpapi.Methods{
		http.MethodPost: func(r *http.Request) (*httpapi.Answer, error) {
			o, err := httpapi.Read(r, readOrder)
			switch {
			case err != nil:
				return nil, err
			case r.PathValue("customer") != "harbor":
				return nil, httpapi.NotFound()
			case o.item == "moon":
				return nil, httpapi.Invalid("item", validate.RuleUnknown, "is not for sale")
			}
			return &httpapi.Answer{Status: http.StatusCreated, Body: o.item}, nil
		},
	})

	send := func(path, body string) {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		api.ServeHTTP(rec, r)
		fmt.Print(rec.Code, " ", rec.Body)
	}
	send("/orders/harbor", `{"item":"anchor"}`)
	send("/orders/harbor", `{"item":"moon"}`)
	send("/orders/harbor", `{"options":"none"}`)
	send("/orders/granite", `{"item":"anchor"}`)
	// Output:
	// 201 "anchor"
	// 400 {"code":"validation_error","item":"is not for sale"}
	// 400 {"code":"validation_error","item":"is required","options":"must be an array"}
	// 404 {"code":"not_found"}
}
