package installation

import (
	"container/list"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/schema"
	"github.com/go-installation/installation/validate"
)

// What a document is masked by is a rule, and each installation remembers by its id under which rules its documents are stored: one
// for all of them, and behind a space that of the configuration, if the extension has a schema. A read whose rules are still the same
// ones returns the documents as they are stored. Only one that finds other rules needs the schema itself.

// asked is what Options.Schema said of an extension, and what came of it. The rows of a list share it.
type asked struct {
	extension Extension
	source    validate.SchemaSource
	err       error
	known     *knownSchema // once it was needed
}

// source asks which schema holds for the configuration, once for each extension in the life of a state.
func (s *Service) source(ctx context.Context, st *state) (validate.SchemaSource, error) {
	ext := st.inst.Extension
	if s.opts.Schema == nil || ext.ID == "" {
		return validate.SchemaSource{}, nil
	}
	if st.asked == nil || st.asked.extension != ext {
		st.asked = &asked{extension: ext}
		st.asked.source, st.asked.err = s.askSchema(ctx, st.key.Tenant, ext)
	}
	return st.asked.source, st.asked.err
}

func (s *Service) askSchema(ctx context.Context, tenant string, ext Extension) (validate.SchemaSource, error) {
	source, err := s.opts.Schema(ctx, tenant, ext)
	switch {
	case err != nil:
		return validate.SchemaSource{}, unreachable("", err)
	case len(source.Revision) > validate.MaxSchemaRevision || !utf8.ValidString(source.Revision):
		return validate.SchemaSource{}, &validate.SchemaError{Fault: validate.SchemaRevision}
	case source.Revision != "" && source.Load == nil:
		return validate.SchemaSource{}, unreachable(source.Revision, nil)
	}
	return source, nil
}

// unreachable is the error for a source that failed. What it says may quote anything, so nothing of it is kept but whether a context
// ended.
func unreachable(revision string, cause error) error {
	e := &validate.SchemaError{Revision: revision, Fault: validate.SchemaUnreachable}
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(cause, ended) {
			e.Ended = ended
		}
	}
	return e
}

// schemaOf returns the schema of the configuration and the name of its revision, nil if the extension has none.
func (s *Service) schemaOf(ctx context.Context, st *state) (*schema.Schema, string, error) {
	source, err := s.source(ctx, st)
	if err != nil || source.Revision == "" {
		return nil, "", err
	}
	if st.asked.known == nil {
		known := s.compile(ctx, schemaKey{st.key.Tenant, st.inst.Extension.ID, source.Revision}, source)
		st.asked.known = &known
	}
	return st.asked.known.schema, source.Revision, st.asked.known.err
}

// compile returns a schema from the cache, or loads and compiles it. One that could not be loaded is not remembered.
func (s *Service) compile(ctx context.Context, key schemaKey, source validate.SchemaSource) knownSchema {
	if known, ok := s.schemas.get(key); ok {
		return known
	}
	text, err := source.Load(ctx)
	if err != nil {
		return knownSchema{err: unreachable(source.Revision, err)}
	}
	compiled, err := schema.Compile(text)
	known := knownSchema{compiled, unusable(source.Revision, err)}
	s.schemas.put(key, known)
	return known
}

// unusable is the error for a schema with a fault.
func unusable(revision string, err error) error {
	if fault, ok := errors.AsType[*schema.Error](err); ok {
		return &validate.SchemaError{Revision: revision, Fault: validate.SchemaFault(fault.Fault), Pointer: fault.Pointer}
	}
	return err
}

// configRule returns the rule for the configuration, and its schema for this one call if it has one. Without the schema it should have
// there is none, and neither if the stored document is too much work for a schema that it was not written under: what is not worked out
// would pass for secret.
func (s *Service) configRule(ctx context.Context, st *state) (masked.Rule, *schema.Schema, error) {
	sch, revision, err := s.schemaOf(ctx, st)
	switch {
	case err != nil:
		return nil, nil, err
	case sch == nil:
		return s.rule, nil, nil
	}
	rule := masked.SchemaRule{Name: revision, Schema: sch.Session()}
	if c := st.inst.Configuration; c != nil && configPart(st.rule) != rule.ID() {
		if tree, err := jsontree.Parse([]byte(c.Document.masked), jsontree.Limits{}); err == nil && !sch.Fits(tree) {
			return nil, nil, &validate.SchemaError{Revision: revision, Fault: validate.SchemaTooComplex}
		}
	}
	return rule, rule.Schema, nil
}

// ruleOf returns the rule for documents of one kind.
func (s *Service) ruleOf(ctx context.Context, st *state, kind RefKind) (masked.Rule, *schema.Schema, error) {
	if kind == RefConfig {
		return s.configRule(ctx, st)
	}
	return s.rule, nil, nil
}

// ruleID returns the id of the rules for the documents that the installation has. Beside an error it is that of the rule for all.
func (s *Service) ruleID(ctx context.Context, st *state) (string, error) {
	if st.inst.Configuration == nil {
		return s.rule.ID(), nil
	}
	source, err := s.source(ctx, st)
	if err != nil || source.Revision == "" {
		return s.rule.ID(), err
	}
	return joinRules(s.rule.ID(), masked.SchemaRule{Name: source.Revision}.ID()), nil
}

// joinRules puts the id of the rule for the configuration behind that of the rule for all, if it has one of its own.
func joinRules(all, config string) string {
	if config == "" {
		return all
	}
	return all + " " + config
}

// configPart returns the id of the rule for the configuration in what joinRules returned.
func configPart(id string) string {
	_, config, _ := strings.Cut(id, " ")
	return config
}

// complexity is the error for a document that is too much work for its schema, or else err. It comes first: where the places of the
// document could not be worked out, what was refused is not what is wrong.
func complexity(sch *schema.Schema, path string, err error) error {
	if sch != nil && sch.Overran() {
		return tooComplex(path)
	}
	return err
}

func tooComplex(path string) error {
	return invalid(path, validate.RuleTooComplex, "is too much work to hold against its schema: it needs fewer values, or a schema with fewer branches")
}

// checkSchema holds a document that changed against its schema. Secrets that were kept are opened for it, in memory and for as long as
// it takes; what is found inside one is reported at the secret itself.
func (st *state) checkSchema(ctx context.Context, path string, sch *schema.Schema, kind RefKind, r masked.Result) error {
	if err := complexity(sch, path, nil); err != nil {
		return err
	}
	if sch == nil || len(r.Changed) == 0 || r.Doc == nil {
		return nil
	}
	stored, err := st.stored(kind)
	if err != nil {
		return err
	}
	var subject schema.Subject
	if stored.Doc != nil {
		subject.Stored = append(subject.Stored, stored.Doc)
	}
	values := make(map[string]*jsontree.Node, len(r.Keep)+len(r.Seal))
	for _, p := range r.Seal {
		values[p.Pointer] = p.Value
	}
	for _, m := range r.Keep {
		text, err := st.unsealValue(Ref{kind, m.From})
		if err != nil {
			return ErrSealed
		}
		value, err := jsontree.Parse(text, jsontree.Limits{})
		clear(text)
		if err != nil {
			return ErrSealed
		}
		values[m.To] = value
		subject.Stored = append(subject.Stored, value)
	}
	subject.Doc, subject.Secrets = masked.Fill(r.Doc, values), slices.Collect(maps.Keys(values))
	found, err := sch.Check(ctx, subject)
	if fault, ok := errors.AsType[*schema.Error](err); ok && fault.Fault == schema.Complex {
		return tooComplex(path)
	}
	if err != nil {
		return unusable("", err)
	}
	var l validate.List
	for _, v := range found {
		l.AddViolation(violation(path, v, values))
	}
	return l.Err()
}

// violation puts a finding into words. The names in a secret are secret as well.
func violation(path string, v schema.Violation, secrets map[string]*jsontree.Node) validate.Violation {
	out := validate.Violation{Path: path + v.Pointer, Rule: validate.RuleSchema, Keyword: v.Keyword, Detail: "not what the schema wants: " + v.Keyword}
	switch v.Keyword {
	case "":
		out.Rule, out.Detail = validate.RuleRange, "has too many digits, or too high an exponent, to be compared: at most 1000"
	case "required":
		out.Detail = "is required by the schema"
	case "type":
		out.Detail = "must be of type " + v.Want
	case "additionalProperties", "false":
		out.Detail = "is not known to the schema"
	}
	for end := range len(v.Pointer) {
		if _, ok := secrets[v.Pointer[:end]]; ok && v.Pointer[end] == '/' {
			out.Path = path + v.Pointer[:end]
			break
		}
	}
	return out
}

// maxSchemas is how many schemas a service remembers.
const maxSchemas = 256

// schemaCache remembers the schemas that were asked for last, those that cannot be used among them. It is safe for use by many
// goroutines.
type schemaCache struct {
	mu    sync.Mutex
	byKey map[schemaKey]*list.Element
	order list.List // of schemaEntry, the one asked for last in front
}

// schemaKey names a schema. A revision means something to its extension alone.
type schemaKey struct{ tenant, extension, revision string }

// knownSchema is a compiled schema, or why there is none.
type knownSchema struct {
	schema *schema.Schema
	err    error
}

type schemaEntry struct {
	key   schemaKey
	known knownSchema
}

func newSchemaCache() *schemaCache { return &schemaCache{byKey: make(map[schemaKey]*list.Element)} }

func (c *schemaCache) get(key schemaKey) (knownSchema, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return knownSchema{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(schemaEntry).known, true
}

// put remembers a schema, in place of the one that was not asked for the longest if there are too many.
func (c *schemaCache) put(key schemaKey, known knownSchema) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.order.Remove(e)
	}
	c.byKey[key] = c.order.PushFront(schemaEntry{key, known})
	if c.order.Len() > maxSchemas {
		last := c.order.Back()
		delete(c.byKey, last.Value.(schemaEntry).key)
		c.order.Remove(last)
	}
}
