package seeds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-installation/installation"
	"github.com/go-installation/installation/crypto"
	"github.com/go-installation/installation/internal/tests/fixture"
	"github.com/go-installation/installation/memstore"
)

// seedDocument is a document with the place of each of its fields.
type seedDocument struct {
	values map[string]any // by JSON Pointer: string, json.Number or bool
	places map[string]seedField
}

// readSeed reads a document. It ends the test unless the table has exactly its fields.
func readSeed(t *testing.T, name string, fields []seedField) *seedDocument {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "seeds", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	seed := &seedDocument{values: make(map[string]any)}
	flatten("", tree, seed.values)
	var problems []string
	if seed.places, problems = placeSeed(fields, seed.values); problems != nil {
		t.Fatalf("%s:\n%s", name, strings.Join(problems, "\n"))
	}
	return seed
}

// flatten collects the values of a tree by pointer: scalars, empty arrays and empty objects.
func flatten(pointer string, tree any, values map[string]any) {
	switch tree := tree.(type) {
	case map[string]any:
		for name, member := range tree {
			flatten(pointer+"/"+name, member, values)
		}
		if len(tree) > 0 {
			return
		}
	case []any:
		for i, item := range tree {
			flatten(pointer+"/"+strconv.Itoa(i), item, values)
		}
		if len(tree) > 0 {
			return
		}
	}
	values[pointer] = tree
}

// placeSeed returns the place of each value by its pointer, and the differences between the
// table and the document.
func placeSeed(
	fields []seedField, values map[string]any,
) (places map[string]seedField, problems []string) {
	places = make(map[string]seedField)
	used := make(map[string]bool)
	for _, pointer := range slices.Sorted(maps.Keys(values)) {
		for _, f := range fields {
			parts, ok := match(f.wire, pointer)
			if !ok {
				continue
			}
			used[f.wire] = true
			if other, ok := places[pointer]; ok {
				problem := fmt.Sprintf("%s is in the table twice, as %s and %s",
					pointer, other.wire, f.wire)
				problems = append(problems, problem)
				continue
			}
			for _, part := range parts {
				f.place = strings.Replace(f.place, "[*]", "["+part+"]", 1)
			}
			places[pointer] = f
		}
		if _, ok := places[pointer]; !ok {
			problems = append(problems, pointer+" is not in the table")
		}
	}
	for _, f := range fields {
		if !used[f.wire] {
			problems = append(problems, f.wire+" is in the table and not in the document")
		}
	}
	return places, problems
}

// match reports whether a pointer matches a pattern, and returns the match of each "*".
func match(pattern, pointer string) (parts []string, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(pointer, "/")
	if len(want) != len(got) {
		return nil, false
	}
	for i := range want {
		switch {
		case want[i] == "*":
			parts = append(parts, got[i])
		case want[i] != got[i]:
			return nil, false
		}
	}
	return parts, true
}

// fill puts each value in its place.
func (d *seedDocument) fill(t *testing.T) *seedWorld {
	t.Helper()
	w := &seedWorld{}
	documents := make(map[string]map[string]any)
	for _, pointer := range slices.Sorted(maps.Keys(d.places)) {
		f := d.places[pointer]
		if f.derived != "" {
			continue
		}
		path, member, inDocument := strings.Cut(f.place, "/")
		if inDocument {
			if documents[path] == nil {
				documents[path] = make(map[string]any)
			}
			documents[path][member] = d.values[pointer]
			continue
		}
		steps := pathSteps(path)
		last := len(steps) - 1
		if in := walk(t, reflect.ValueOf(w), steps[:last]); in.Kind() == reflect.Map {
			if in.IsNil() {
				in.Set(reflect.MakeMap(in.Type()))
			}
			value := convertSeed(t, d.values[pointer], in.Type().Elem())
			in.SetMapIndex(reflect.ValueOf(steps[last]), value)
			continue
		}
		to := walk(t, reflect.ValueOf(w), steps)
		value := convertSeed(t, d.values[pointer], to.Type())
		if !to.IsZero() && !sameSeed(to, value) {
			t.Fatalf("%s: the place %s has another value already", pointer, f.place)
		}
		to.Set(value)
	}
	for path, members := range documents {
		document, err := installation.DocumentOf(members)
		if err != nil {
			t.Fatal(err)
		}
		walk(t, reflect.ValueOf(w), pathSteps(path)).Set(reflect.ValueOf(document))
	}
	return w
}

// check compares each place with the value of its field. A secret must be masked in its
// place, and Reveal must return it.
func (d *seedDocument) check(t *testing.T, svc *installation.Service, w *seedWorld) {
	t.Helper()
	for _, pointer := range slices.Sorted(maps.Keys(d.places)) {
		f := d.places[pointer]
		path, member, inDocument := strings.Cut(f.place, "/")
		got := walk(t, reflect.ValueOf(w), pathSteps(path))
		want := d.values[pointer]
		if f.secret != "" {
			if secret := seedReveal(t, svc, w.ID, f.secret); secret != want {
				t.Errorf("%s: %s reveals another value", pointer, f.secret)
			}
			want = crypto.Mask
		}
		switch {
		case f.derived != "":
			if got.IsZero() {
				t.Errorf("%s: the place %s is empty, which is %s", pointer, f.place, f.derived)
			}
		case inDocument:
			var members map[string]any
			if err := got.Interface().(installation.Document).Decode(&members); err != nil {
				t.Errorf("%s: %v", pointer, err)
			} else if members[member] != want {
				t.Errorf("%s: %s is %v, want %v", pointer, f.place, members[member], want)
			}
		case f.secret != "":
			if !got.Interface().(crypto.Secret).IsMasked() {
				t.Errorf("%s: %s is not masked", pointer, f.place)
			}
		case !sameSeed(got, convertSeed(t, want, got.Type())):
			t.Errorf("%s: %s is %v, want %v", pointer, f.place, got, want)
		}
	}
}

// pathSteps cuts "Consent.Modules[0].ID" into its names and indexes.
func pathSteps(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]", r) })
}

// walk follows a path from a value and makes missing pointers and elements on the way. A map
// may only be the last step.
func walk(t *testing.T, v reflect.Value, steps []string) reflect.Value {
	t.Helper()
	for _, step := range steps {
		v = made(v)
		switch v.Kind() {
		case reflect.Struct:
			field, ok := v.Type().FieldByName(step)
			if !ok {
				t.Fatalf("%s has no field %s", v.Type(), step)
			}
			for _, i := range field.Index { // more than one where the field is promoted
				v = made(v).Field(i)
			}
		case reflect.Slice:
			i, err := strconv.Atoi(step)
			if err != nil {
				t.Fatal(err)
			}
			for v.Len() <= i {
				v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			}
			v = v.Index(i)
		case reflect.Map:
			item := v.MapIndex(reflect.ValueOf(step))
			if !item.IsValid() {
				item = reflect.Zero(v.Type().Elem())
			}
			v = item
		default:
			t.Fatalf("%s has no %s", v.Type(), step)
		}
	}
	return v
}

// made returns the target of a pointer, and makes it if needed. It returns other values as
// they are.
func made(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Pointer {
		return v
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return v.Elem()
}

// convertSeed converts a JSON value to the type of its place.
func convertSeed(t *testing.T, value any, to reflect.Type) reflect.Value {
	t.Helper()
	text, isText := value.(string)
	if number, ok := value.(json.Number); ok {
		text, isText = number.String(), true
	}
	truth, isTruth := value.(bool)
	switch {
	case to == reflect.TypeFor[time.Time]() && isText:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return reflect.ValueOf(at)
	case to == reflect.TypeFor[crypto.Secret]() && isText:
		return reflect.ValueOf(crypto.NewSecret(text))
	case to == reflect.TypeFor[installation.Status]() && isText:
		return reflect.ValueOf(installation.Status(strings.ToLower(text)))
	case to.Kind() == reflect.String && isText:
		return reflect.ValueOf(text).Convert(to)
	case to.Kind() == reflect.Bool && isTruth:
		return reflect.ValueOf(truth)
	case to == reflect.TypeFor[*bool]() && isTruth:
		return reflect.ValueOf(&truth)
	}
	t.Fatalf("a %T cannot stand in a %s", value, to)
	return reflect.Value{}
}

// sameSeed reports whether two values of one type are the same.
func sameSeed(a, b reflect.Value) bool {
	if at, ok := a.Interface().(time.Time); ok {
		return at.Equal(b.Interface().(time.Time))
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// seedParts returns the parts of an upsert that writes i.
func seedParts(i *installation.Installation) installation.Parts {
	p := installation.Parts{
		Extension: installation.Value(i.Extension),
		Account:   installation.Value(i.Account),
		Health:    installation.Value(i.Health),
		Consent:   installation.Value(i.Consent),
	}
	if i.Configuration != nil {
		p.Configuration = installation.Value(*i.Configuration)
	}
	if i.Connection != nil {
		p.Connection = installation.Value(*i.Connection)
	}
	if i.BillingPlan != nil {
		p.BillingPlan = installation.Value(*i.BillingPlan)
	}
	if i.Notification != nil {
		p.Notification = installation.Value(*i.Notification)
	}
	return p
}

// seedService returns a service on an empty store.
func seedService(t *testing.T, now func() time.Time, acceptURL string) *installation.Service {
	t.Helper()
	o := &installation.Options{Now: now, AcceptURL: acceptURL}
	fixture.OwnedBy(seedVendor)(o)
	key, err := crypto.GenerateKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	svc, err := installation.New(memstore.New(), fixture.RingOf(t, key), o)
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

// seedGet reads an installation.
func seedGet(t *testing.T, svc *installation.Service, id string) *installation.Installation {
	t.Helper()
	inst, err := svc.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

// seedReveal returns a secret in plain text.
func seedReveal(t *testing.T, svc *installation.Service, id string, ref installation.Ref) string {
	t.Helper()
	secrets, err := svc.Reveal(t.Context(), installation.RevealRequest{
		ID: id, Refs: []installation.Ref{ref}, Reason: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := secrets[0].Err; err != nil {
		t.Fatalf("%s: %v", ref, err)
	}
	return secrets[0].Value.RevealString()
}
