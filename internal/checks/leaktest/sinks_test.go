package leaktest

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"log/slog"
	"reflect"
	"slices"
	texttemplate "text/template"

	"github.com/davecgh/go-spew/spew"
	"github.com/google/go-cmp/cmp"
	"github.com/kr/pretty"
	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	yaml "gopkg.in/yaml.v3"
)

// sink turns a value into text that people read.
type sink struct {
	name string
	show func(v any) string
}

// sinks returns all sinks. Each verb of fmt is one.
func sinks() []sink {
	list := slices.Concat(encoderSinks, templateSinks, logSinks, testSinks, otherSinks)
	for _, flags := range []string{"", "+", "#", "-12", " ", "010.3"} {
		for _, verb := range "vsqxXdobcUtTeEfgGp" {
			format := "%" + flags + string(verb)
			list = append(list, sink{"fmt " + format, func(v any) string {
				return fmt.Sprintf(format, v)
			}})
		}
	}
	return list
}

var encoderSinks = []sink{
	{"json.Marshal", func(v any) string { return result(json.Marshal(v)) }},
	{"json.MarshalIndent", func(v any) string { return result(json.MarshalIndent(v, "", " ")) }},
	{"json.Encoder", func(v any) string {
		return written(func(b *bytes.Buffer) error { return json.NewEncoder(b).Encode(v) })
	}},
	{"json key", func(v any) string {
		return result(json.Marshal(map[string]any{fmt.Sprint(v): v}))
	}},
	{"xml.Marshal", func(v any) string { return result(xml.Marshal(v)) }},
	{"xml attribute", func(v any) string {
		return result(xml.Marshal(struct {
			V any `xml:"v,attr"`
		}{v}))
	}},
	{"gob", func(v any) string {
		return written(func(b *bytes.Buffer) error { return gob.NewEncoder(b).Encode(v) })
	}},
	{"yaml.v3", func(v any) string { return result(yaml.Marshal(v)) }},
}

var (
	textSource = texttemplate.Must(texttemplate.New("").Parse(
		`{{.}} {{printf "%#v %x %q" . . .}} {{html .}} {{js .}} {{print .}} {{urlquery .}}`))
	htmlSource = htmltemplate.Must(htmltemplate.New("").Parse(
		`<a href="{{.}}" title="{{.}}" onclick="f({{.}})">{{.}}</a>` +
			`<script>var x = {{.}};</script><style>a{content:{{.}}}</style>`))
)

var templateSinks = []sink{
	{"text/template", func(v any) string {
		return written(func(b *bytes.Buffer) error { return textSource.Execute(b, v) })
	}},
	{"html/template", func(v any) string {
		return written(func(b *bytes.Buffer) error { return htmlSource.Execute(b, v) })
	}},
}

var (
	zapJSON    = zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	zapConsole = zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())
)

var logSinks = []sink{
	{"slog text", func(v any) string {
		return written(func(b *bytes.Buffer) error {
			logTo(slog.NewTextHandler(b, nil), v)
			return nil
		})
	}},
	{"slog JSON", func(v any) string {
		return written(func(b *bytes.Buffer) error {
			logTo(slog.NewJSONHandler(b, nil), v)
			return nil
		})
	}},
	{"zap JSON", func(v any) string { return zapped(zapJSON, v) }},
	{"zap console", func(v any) string { return zapped(zapConsole, v) }},
	{"zap sugar", func(v any) string {
		return written(func(b *bytes.Buffer) error {
			core := zapcore.NewCore(zapJSON, zapcore.AddSync(b), zap.DebugLevel)
			zap.New(core).Sugar().Infow("m", "v", v)
			zap.New(core).Sugar().Infof("%v %+v", v, v)
			return nil
		})
	}},
}

// spewAll prints without the methods of the value.
var spewAll = &spew.ConfigState{
	Indent: " ", DisableMethods: true, DisablePointerMethods: true, SpewKeys: true,
}

var testSinks = []sink{
	{"spew.Sdump", func(v any) string { return spew.Sdump(v) }},
	{"spew without methods", func(v any) string { return spewAll.Sdump(v) }},
	{"testify diff", func(v any) string {
		return failed(func(t assert.TestingT) { assert.Equal(t, other(v), v) })
	}},
	{"testify not nil", func(v any) string {
		return failed(func(t assert.TestingT) {
			assert.Nil(t, v)
			assert.Empty(t, v)
			assert.Contains(t, v, "x")
		})
	}},
	{"testify object", func(v any) string {
		return failed(func(t assert.TestingT) {
			assert.ObjectsAreEqual(v, v)
			assert.Zero(t, v)
			assert.IsType(t, 1, v)
		})
	}},
	{"go-cmp diff", func(v any) string {
		return compared(v, cmp.Exporter(func(reflect.Type) bool { return true }))
	}},
	{"go-cmp diff without exporter", func(v any) string { return compared(v) }},
	{"kr/pretty", func(v any) string {
		return fmt.Sprintf("%# v", pretty.Formatter(v)) + pretty.Sprint(v)
	}},
	{"kr/pretty diff", func(v any) string { return fmt.Sprint(pretty.Diff(other(v), v)) }},
}

var otherSinks = []sink{
	{"fmt.Sprint", func(v any) string { return fmt.Sprint(v) }},
	{"fmt.Sprintln", func(v any) string { return fmt.Sprintln("x", v) }},
	{"sql argument", asArgument},
	{"sql named argument", func(v any) string { return asArgument(sql.Named("v", v)) }},
	{"wrapped error", func(v any) string {
		// People use %w for values that are no errors. A variable hides it from vet.
		format := "wrapped %w"
		return fmt.Errorf(format, v).Error() + fmt.Errorf("got %v, want %v", v, v).Error()
	}},
	{"joined error", func(v any) string {
		return errors.Join(fmt.Errorf("%v", v), fmt.Errorf("%+v", v)).Error()
	}},
	{"panic", func(v any) (text string) {
		defer func() { p := recover(); text = fmt.Sprintf("panic: %v %+v %#v", p, p, p) }()
		panic(v)
	}},
}

func result(b []byte, err error) string { return string(b) + fmt.Sprint(err) }

func written(write func(b *bytes.Buffer) error) string {
	var b bytes.Buffer
	err := write(&b)
	return b.String() + fmt.Sprint(err)
}

func logTo(h slog.Handler, v any) {
	l := slog.New(h)
	l.Info("m", "v", v, slog.Any("any", v), slog.Group("g", "v", v))
	l.With("v", v).WithGroup("g").Error("m", "err", fmt.Errorf("%v", v))
}

func zapped(e zapcore.Encoder, v any) string {
	return written(func(b *bytes.Buffer) error {
		l := zap.New(zapcore.NewCore(e, zapcore.AddSync(b), zap.DebugLevel))
		inline := zapcore.ObjectMarshalerFunc(func(o zapcore.ObjectEncoder) error {
			return o.AddReflected("v", v)
		})
		l.Info("m", zap.Any("any", v), zap.Reflect("reflect", v),
			zap.Error(fmt.Errorf("%v", v)), zap.Inline(inline))
		return nil
	})
}

// failures is a test that collects its failure messages.
type failures struct{ bytes.Buffer }

func (f *failures) Errorf(format string, args ...any) { fmt.Fprintf(f, format, args...) }

func failed(check func(t assert.TestingT)) string {
	var f failures
	check(&f)
	return f.String()
}

// other returns the zero value of the type of v, which differs from v.
func other(v any) any {
	if v == nil {
		return nil
	}
	return reflect.Zero(reflect.TypeOf(v)).Interface()
}

// compared returns the difference to other values, or the panic of cmp if it
// rejects unexported fields.
func compared(v any, opts ...cmp.Option) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	return cmp.Diff(other(v), v, opts...) + cmp.Diff([]any{v, 1}, []any{other(v), 2}, opts...)
}

// asArgument returns the text of the value that a driver gets for a query argument.
func asArgument(v any) string {
	if named, ok := v.(sql.NamedArg); ok {
		v = named.Value
	}
	if valuer, ok := v.(driver.Valuer); ok {
		value, err := valuer.Value()
		return fmt.Sprintf("%v %#v %v", value, value, err)
	}
	value, err := driver.DefaultParameterConverter.ConvertValue(v)
	return fmt.Sprintf("%v %#v %v", value, value, err)
}
