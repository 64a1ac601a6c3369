package softwareone

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-installation/installation/validate"
)

// fieldType says how the values of a field are compared.
type fieldType byte

const (
	textField   fieldType = iota
	wordField             // one of a few words, in any letter case
	numberField           // whole and not negative
	timeField
	objectField // can only be tested for presence
)

// field is a field of an installation that a query can name. Its values are taken from the wire
// form, [Installation], so that a filter tells no more than a GET.
type field struct {
	name string
	typ  fieldType
	path []int // indexes of struct fields, from Installation on
}

// fields has every field, by name. It does not have the configuration, since the values in a
// configuration can be secrets of the customer.
var fields = func() map[string]field {
	all := make(map[string]field)
	add := func(typ fieldType, names ...string) {
		for _, name := range names {
			all[name] = field{name, typ, pathOf(name)}
		}
	}
	add(objectField, "extension", "account", "invitation", "invitation.validity", "modules",
		"terms", "audit")
	add(numberField, "revision", "extension.revision", "account.revision")
	add(wordField, "status", "account.type", "account.status", "invitation.status")
	add(textField, "id", "name", "modules.id", "modules.name", "terms.id", "terms.name",
		"extension.id", "extension.name", "extension.icon", "extension.href",
		"account.id", "account.name", "account.icon",
		"invitation.message", "invitation.externalId", "invitation.validity.period")
	for _, event := range []string{
		"created", "updated", "invited", "installed", "expired", "uninstalled",
	} {
		at, by, of := "audit."+event, "audit."+event+".by", "audit."+event+".of"
		add(objectField, at, by, of)
		add(timeField, at+".at")
		add(textField, by+".id", by+".name", by+".icon", of+".id", of+".name", of+".icon")
	}
	return all
}()

// pathOf returns the struct indexes that lead to a field with a dotted JSON name, such as
// audit.created.at. Go names differ from JSON names only in their letter case.
func pathOf(name string) []int {
	var path []int
	t := reflect.TypeFor[Installation]()
	for part := range strings.SplitSeq(name, ".") {
		for t.Kind() != reflect.Struct {
			t = t.Elem() // of a pointer or a slice
		}
		f, _ := t.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, part) })
		path, t = append(path, f.Index[0]), f.Type // panics if there is no such field
	}
	return path
}

// values returns the values of a field of w, in the form that [field.key] gives to values of a
// filter. It leaves out empty texts.
func (f field) values(w *Installation) []string {
	return f.collect(nil, reflect.ValueOf(w), f.path)
}

func (f field) collect(values []string, v reflect.Value, path []int) []string {
	switch v.Kind() {
	case reflect.Pointer:
		return f.collect(values, v.Elem(), path) // adds nothing for nil
	case reflect.Slice:
		for i := range v.Len() {
			values = f.collect(values, v.Index(i), path)
		}
	case reflect.Struct:
		if len(path) > 0 {
			return f.collect(values, v.Field(path[0]), path[1:])
		}
		for i := range v.NumField() {
			values = f.collect(values, v.Field(i), nil)
		}
	case reflect.Int64:
		if f.typ == numberField {
			values = append(values, numberKey(v.Int()))
		}
	case reflect.String:
		if text := v.String(); text != "" && f.typ == wordField {
			values = append(values, strings.ToLower(text))
		} else if text != "" {
			values = append(values, text)
		}
	}
	return values
}

// numberKey returns a text that sorts like the number. All negative numbers have one text, since no
// stored number is negative.
func numberKey(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprintf("%019d", n)
}

// timeForms are the forms of times in a filter. The platform documents the first form. The client
// program of the platform also uses the other forms, which have no time zone.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly}

// key converts a value of a filter to a text. The texts of a field sort like its values. If the
// value does not fit the type of the field, key adds a violation to l.
func (f field) key(value string, l *validate.List) string {
	switch f.typ {
	case wordField:
		return strings.ToLower(value)
	case numberField:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			l.Add(f.name, validate.RuleFormat, "must be compared with a whole number")
		}
		return numberKey(n)
	case timeField:
		for _, form := range timeForms {
			if t, err := time.Parse(form, value); err == nil {
				return wireTime(t)
			}
		}
		l.Add(f.name, validate.RuleFormat,
			"must be compared with a time such as 2026-01-31T23:00:00.000Z")
	}
	return value
}
