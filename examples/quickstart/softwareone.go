package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"strings"
	"time"

	"github.com/go-installation/installation"
)

//go:embed payloads/softwareone.json
var softwareonePayload []byte

// softwareoneVendor is the account that owns the extension of the third chapter.
const softwareoneVendor = "ACC-123-123"

// owner says who owns an extension, for Options.Owner. A host looks it up in its own catalogue. A
// vendor cannot say so in a request.
func owner(_ context.Context, _, extension string) (string, error) {
	if extension == "EXT-6822-9898-4256" {
		return softwareoneVendor, nil
	}
	return "", nil
}

// softwareoneInstallation is an installation in the JSON of SoftwareOne, for requests and
// responses.
type softwareoneInstallation struct {
	ID            string                      `json:"id"`
	Extension     softwareoneRef              `json:"extension"`
	Status        string                      `json:"status"`
	Configuration installation.Document       `json:"configuration,omitzero"`
	Account       softwareoneRef              `json:"account"`
	Invitation    *softwareoneInvitation      `json:"invitation,omitzero"`
	Modules       []softwareoneRef            `json:"modules,omitzero"`
	Audit         map[string]softwareoneEntry `json:"audit,omitzero"`
}

// softwareoneRef has the fields of installation.Reference, so Go can convert one type to the other.
type softwareoneRef struct {
	ID   string `json:"id"`
	Name string `json:"name,omitzero"`
	Icon string `json:"icon,omitzero"`
}

type softwareoneInvitation struct {
	Status string `json:"status"`
}

type softwareoneEntry struct {
	At time.Time      `json:"at"`
	By softwareoneRef `json:"by"`
}

func readSoftwareone() (*softwareoneInstallation, error) {
	var in softwareoneInstallation
	return &in, json.Unmarshal(softwareonePayload, &in)
}

func (in *softwareoneInstallation) extension() installation.Extension {
	e := in.Extension
	return installation.Extension{ID: e.ID, Name: e.Name, Icon: e.Icon}
}

func (in *softwareoneInstallation) account() installation.Account {
	a := in.Account
	return installation.Account{ID: a.ID, Name: a.Name, Icon: a.Icon}
}

// consent maps the modules to a consent, because the user who installs agrees to these modules.
func (in *softwareoneInstallation) consent() installation.Consent {
	var modules []installation.Reference
	for _, m := range in.Modules {
		modules = append(modules, installation.Reference(m))
	}
	return installation.Consent{Modules: modules}
}

// configure maps the body of a PUT to a request. A PUT can only change the configuration.
func (in *softwareoneInstallation) configure() installation.PatchRequest {
	return installation.PatchRequest{ID: in.ID, Parts: installation.Parts{
		Configuration: installation.Value(installation.Configuration{Document: in.Configuration}),
	}}
}

// softwareoneAnswer maps an installation back to the JSON of the platform. A part that the actor is
// not allowed to see is nil, so the JSON lacks it.
func softwareoneAnswer(i *installation.Installation) *softwareoneInstallation {
	out := &softwareoneInstallation{
		ID: i.ID, Status: softwareoneStatus(i.Status),
		Extension: softwareoneRef{i.Extension.ID, i.Extension.Name, i.Extension.Icon},
		Account:   softwareoneRef{i.Account.ID, i.Account.Name, i.Account.Icon},
		Audit:     make(map[string]softwareoneEntry),
	}
	if i.Configuration != nil {
		out.Configuration = i.Configuration.Document
	}
	if i.Invitation != nil {
		out.Invitation = &softwareoneInvitation{Status: softwareoneStatus(i.Invitation.Status)}
	}
	for _, m := range i.Consent.Modules {
		out.Modules = append(out.Modules, softwareoneRef(m))
	}
	for name, e := range map[string]*installation.AuditEntry{
		"created": i.Audit.Created, "updated": i.Audit.Updated, "invited": i.Audit.Invited,
		"installed": i.Audit.Installed, "expired": i.Audit.Expired,
		"uninstalled": i.Audit.Uninstalled,
	} {
		if e != nil {
			out.Audit[name] = softwareoneEntry{At: e.At, By: softwareoneRef(e.By)}
		}
	}
	return out
}

// softwareoneStatus returns the platform's name of a status, which starts with a capital letter.
func softwareoneStatus(s installation.Status) string {
	n := min(1, len(s)) // an unset status stays empty
	return strings.ToUpper(string(s[:n])) + string(s[n:])
}
