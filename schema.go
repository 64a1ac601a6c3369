package installation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-installation/installation/internal/classify"
	"github.com/go-installation/installation/internal/jsontree"
	"github.com/go-installation/installation/internal/masked"
	"github.com/go-installation/installation/internal/record"
	"github.com/go-installation/installation/internal/schema"
	"github.com/go-installation/installation/validate"
)

// schemaLookup is what Options.Schema returned for an extension. The rows of a list share it.
type schemaLookup struct {
	tenant    string
	extension Extension
	source    validate.SchemaSource
	err       error

	compiled  bool // schema and schemaErr are set
	schema    *schema.Schema
	schemaErr error
}

// schemaSource returns the source of the configuration's schema. It asks Options.Schema once for
// each extension of a snapshot.
func (s *Service) schemaSource(ctx context.Context, snap *snapshot) (validate.SchemaSource, error) {
	ext := snap.inst.Extension
	if s.opts.Schema == nil || ext.ID == "" {
		return validate.SchemaSource{}, nil
	}
	tenant := snap.key.Tenant
	if l := snap.schema; l == nil || l.tenant != tenant || l.extension != ext {
		source, err := s.askSchema(ctx, tenant, ext)
		snap.schema = &schemaLookup{tenant: tenant, extension: ext, source: source, err: err}
	}
	return snap.schema.source, snap.schema.err
}

func (s *Service) askSchema(
	ctx context.Context, tenant string, ext Extension,
) (validate.SchemaSource, error) {
	source, err := s.opts.Schema(ctx, tenant, ext)
	switch {
	case err != nil:
		return validate.SchemaSource{}, schemaUnreachable("", err)
	case len(source.Revision) > validate.MaxSchemaRevision || !utf8.ValidString(source.Revision):
		return validate.SchemaSource{}, &validate.SchemaError{Fault: validate.SchemaRevision}
	case source.Revision != "" && source.Load == nil:
		return validate.SchemaSource{}, schemaUnreachable(source.Revision, nil)
	}
	return source, nil
}

// schemaUnreachable is the error for a schema source that failed. The text of the cause could quote
// anything, so the error keeps only whether a context ended.
func schemaUnreachable(revision string, cause error) error {
	e := &validate.SchemaError{Revision: revision, Fault: validate.SchemaUnreachable}
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(cause, ended) {
			e.Ended = ended
		}
	}
	return e
}

// maxSchemas bounds the bytes that the compiled schemas of a service keep on the heap. One schema
// at all limits of package schema fits.
const maxSchemas = 64 << 20

// schemaOf returns the schema of the configuration and the name of its revision; nil if the
// extension has none.
func (s *Service) schemaOf(ctx context.Context, snap *snapshot) (*schema.Schema, string, error) {
	source, err := s.schemaSource(ctx, snap)
	if err != nil || source.Revision == "" {
		return nil, "", err
	}
	if l := snap.schema; !l.compiled {
		l.compiled = true
		l.schema, l.schemaErr = s.compile(ctx, snap.key.Tenant, l)
	}
	return snap.schema.schema, source.Revision, snap.schema.schemaErr
}

// compile returns a schema from the cache, or loads and compiles it. A failed load is not cached.
func (s *Service) compile(
	ctx context.Context, tenant string, l *schemaLookup,
) (*schema.Schema, error) {
	key := schema.Key{Tenant: tenant, Extension: l.extension.ID, Revision: l.source.Revision}
	load := func() ([]byte, error) {
		text, err := l.source.Load(ctx)
		if err != nil {
			return nil, schemaUnreachable(l.source.Revision, err)
		}
		return text, nil
	}
	compiled, err := s.schemas.Compile(key, load)
	return compiled, schemaUnusable(l.source.Revision, err)
}

// schemaUnusable is the error for a schema with a fault.
func schemaUnusable(revision string, err error) error {
	if fault, ok := errors.AsType[*schema.Error](err); ok {
		return &validate.SchemaError{
			Revision: revision, Fault: validate.SchemaFault(fault.Fault), Pointer: fault.Pointer,
		}
	}
	return err
}

// ruleIDs names the rules that decided which values of a record's documents are secret: one rule
// for all documents, and another for the configuration if the extension has a schema. The record
// stores the IDs. While they are the IDs of today's rules, a read returns the documents as they are
// stored. Otherwise the read needs the schema itself.
type ruleIDs struct {
	all    string
	config string // "" = the same as for all
}

// String returns both IDs in one string, as a record stores them.
func (r ruleIDs) String() string {
	if r.config == "" {
		return r.all
	}
	return r.all + " " + r.config
}

// parseRuleIDs reads what String returned.
func parseRuleIDs(text string) ruleIDs {
	all, config, _ := strings.Cut(text, " ")
	return ruleIDs{all, config}
}

// currentRules returns the IDs of today's rules for the documents that the installation has. On an
// error, only the field all is set.
func (s *Service) currentRules(ctx context.Context, snap *snapshot) (ruleIDs, error) {
	rules := ruleIDs{all: s.rule.ID()}
	if snap.inst.Configuration == nil {
		return rules, nil
	}
	source, err := s.schemaSource(ctx, snap)
	if err == nil && source.Revision != "" {
		rules.config = classify.SchemaRule{Name: source.Revision}.ID()
	}
	return rules, err
}

// ruleFor returns the rule for documents of one kind. For a configuration with a schema it also
// returns the schema, which serves one call of the service only.
//
// It fails if the schema is unavailable. It also fails if the document was stored under another
// rule and is too complex for the schema: a value that the schema does not reach would count as not
// secret.
func (s *Service) ruleFor(
	ctx context.Context, snap *snapshot, kind string,
) (masked.Rule, *schema.Schema, error) {
	if kind != kindConfig {
		return s.rule, nil, nil
	}
	sch, revision, err := s.schemaOf(ctx, snap)
	switch {
	case err != nil:
		return nil, nil, err
	case sch == nil:
		return s.rule, nil, nil
	}
	rule := classify.SchemaRule{Name: revision, Schema: sch.Session()}
	c := snap.inst.Configuration
	if c != nil && parseRuleIDs(snap.rule).config != rule.ID() {
		tree, err := jsontree.Parse([]byte(c.Document.masked), jsontree.Limits{})
		if err == nil && !sch.Fits(tree) {
			fault := &validate.SchemaError{Revision: revision, Fault: validate.SchemaTooComplex}
			return nil, nil, fault
		}
	}
	return rule, rule.Schema, nil
}

// complexity replaces err if the document was too complex for its schema. The schema was then not
// applied to the whole document, so err does not describe the problem.
func complexity(sch *schema.Schema, path string, err error) error {
	if sch != nil && sch.Overran() {
		return tooComplex(path)
	}
	return err
}

func tooComplex(path string) error {
	return invalid(path, validate.RuleTooComplex,
		"is too complex for its schema: it needs fewer values, or a schema with fewer branches")
}

// checkSchema validates a changed document against its schema. It opens the kept secrets in memory
// for that. A violation inside a secret is reported at the secret itself.
func (d *draft) checkSchema(
	ctx context.Context, path string, sch *schema.Schema, kind string, stored *jsontree.Node,
	r masked.Result,
) error {
	if err := complexity(sch, path, nil); err != nil {
		return err
	}
	if sch == nil || len(r.Changed) == 0 {
		return nil
	}
	var subject schema.Subject
	if stored != nil {
		subject.Stored = append(subject.Stored, stored)
	}
	values := make(map[string]*jsontree.Node, len(r.Keep)+len(r.Seal))
	for _, p := range r.Seal {
		values[p.Pointer] = p.Value
	}
	for _, m := range r.Keep {
		value, err := d.parseSecret(refOf(kind, m.From))
		if err != nil {
			return err
		}
		values[m.To] = value
		subject.Stored = append(subject.Stored, value)
	}
	subject.Doc = masked.Fill(r.Doc, values)
	subject.Secrets = slices.Collect(maps.Keys(values))
	found, err := sch.Check(ctx, subject)
	fault, ok := errors.AsType[*schema.Error](err)
	switch {
	case ok && fault.Fault == schema.Complex:
		return tooComplex(path)
	case err != nil:
		return schemaUnusable("", err)
	}
	var l validate.List
	for _, v := range found {
		rule := validate.RuleSchema
		if v.Keyword == "" {
			rule = validate.RuleRange
		}
		l.AddViolation(validate.Violation{
			Path: path + v.Pointer, Rule: rule, Keyword: v.Keyword, Detail: v.Detail(),
		})
	}
	return l.Err()
}

// parseSecret opens the stored secret at ref and parses it.
func (d *draft) parseSecret(ref Ref) (*jsontree.Node, error) {
	text, err := d.unseal(ref)
	defer clear(text)
	if err == nil {
		if value, err := jsontree.Parse(text, jsontree.Limits{}); err == nil {
			return value, nil
		}
	}
	return nil, ErrSealed
}

// withOwner returns the extension part with the owner to store. The request has no say in who that
// is: Options.Owner decides, or else the host and the platform. begins means that the write begins
// an install, so that withOwner asks even if the extension is not given.
func (s *Service) withOwner(
	ctx context.Context, d *draft, part Optional[Extension], begins bool,
) (Optional[Extension], error) {
	old := d.inst.Extension
	next, given := part.Get()
	if part.IsZero() && begins {
		next, next.Owner = old, ""
	} else if !given {
		return part, nil
	}
	switch {
	case next.ID == "", old.ID != "" && old.ID != next.ID:
		return part, nil // applyParts rejects it
	case s.opts.Owner != nil:
	case given && next.Owner != "" && old.Owner == "" && !s.actor.ownsAll():
		return part, errNoOwner
	default:
		return part, nil // checkOwners rejects another owner
	}
	owner, err := s.opts.Owner(ctx, d.key.Tenant, next.ID)
	var l validate.List
	if l.OptionalID("owner", owner); err != nil || l.Err() != nil {
		return part, cmp.Or[error](ctx.Err(), errOwnerFailed)
	}
	d.otherOwner = next.Owner != "" && next.Owner != owner
	next.Owner = owner
	return Value(next), nil
}

// DefaultClaims allows one live installation of an extension in an account. An installed
// installation claims the pair of its extension and account. Invitations and ended installations
// claim nothing.
func DefaultClaims(inst *Installation) []string {
	if inst.Status != StatusInstalled || inst.Extension.ID == "" || inst.Account.ID == "" {
		return nil
	}
	return []string{"live=" + record.Pair(inst.Extension.ID, inst.Account.ID)}
}

// claimsOf returns the claims of the draft in the form that a store keeps: sorted, each once. Only
// an installation in status installed has claims: an invitation would keep its claims after it
// expired.
func (s *Service) claimsOf(d *draft) ([]string, error) {
	switch {
	case d.effect == effectRekeyed:
		return d.stored.Claims, nil
	case d.inst.Status != StatusInstalled:
		return nil, nil
	}
	claims := slices.Sorted(slices.Values(s.opts.Claims(new(*d.inst))))
	for _, c := range claims {
		if c == "" || len(c) > MaxClaim || strings.ContainsRune(c, 0) {
			return nil, fmt.Errorf("installation: Options.Claims returned a claim that is empty, "+
				"longer than %d bytes, or contains NUL", MaxClaim)
		}
	}
	if len(claims) > MaxClaims {
		return nil, fmt.Errorf(
			"installation: Options.Claims returned more than %d claims", MaxClaims)
	}
	return slices.Compact(claims), nil
}
