package secrets

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	htmltemplate "html/template"
	"log/slog"
	"reflect"
	"runtime/debug"
	"text/template"
)

// leakSinks turn a value into text, as a program may print, log or store it. A
// sink that fails returns the text of its error.
var leakSinks = newLeakSinks()

func newLeakSinks() map[string]func(v any) string {
	sinks := map[string]func(v any) string{
		"Sprintln":  func(v any) string { return fmt.Sprintln("x", v) },
		"Errorf %v": func(v any) string { return fmt.Errorf("outer: %v", v).Error() },
		"Errorf %w": func(v any) string {
			err, _ := v.(error)
			return fmt.Sprintf("%+v", fmt.Errorf("outer: %w", err))
		},
		"json": func(v any) string { return textOrError(json.Marshal(v)) },
		"json indent": func(v any) string {
			return textOrError(json.MarshalIndent(map[string]any{"v": v}, "", " "))
		},
		"xml": func(v any) string { return textOrError(xml.Marshal(v)) },
		"gob": func(v any) string {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return textOrError(b.Bytes(), err)
		},
		"slog text":     leakText,
		"slog json":     leakJSON,
		"text/template": leakTextTemplate,
		"html/template": leakHTMLTemplate,
		"panic": func(v any) (out string) {
			defer func() { out = fmt.Sprint(recover()) + string(debug.Stack()) }()
			panic(v)
		},
		"dump": func(v any) string {
			var d leakDumper
			d.dump(reflect.ValueOf(v), 0)
			return d.out.String()
		},
	}
	for _, verb := range []string{
		"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "% x", "%T", "%U", "%c", "%t", "%e",
	} {
		sinks[verb] = func(v any) string { return fmt.Sprintf(verb, v) }
	}
	return sinks
}

func textOrError(b []byte, err error) string { return string(b) + fmt.Sprint(err) }

func leakText(v any) string {
	var b bytes.Buffer
	leakToLog(slog.NewTextHandler(&b, nil), v)
	return b.String()
}

func leakJSON(v any) string {
	var b bytes.Buffer
	leakToLog(slog.NewJSONHandler(&b, nil), v)
	return b.String()
}

func leakToLog(h slog.Handler, v any) {
	l := slog.New(h)
	l.Info("message", "attr", v)
	nested := slog.Any("nested", struct{ V any }{v})
	l.With("with", v).WithGroup("group").Info("message", slog.Group("inner", "attr", v), nested)
	l.Info(fmt.Sprint(v), "error", fmt.Errorf("x: %v", v))
}

var (
	leakTextSource = template.Must(template.New("").Parse(`{{.}} {{printf "%#v" .}} {{html .}} ` +
		`{{js .}} {{urlquery .}} {{range $k, $v := .}}{{$v}}{{end}}`))
	leakHTMLSource = htmltemplate.Must(htmltemplate.New("").Parse(
		`<a title="{{.}}" href="/?q={{.}}">{{.}}</a><script>var x = {{.}}</script>`))
)

func leakTextTemplate(v any) string {
	var b bytes.Buffer
	err := leakTextSource.Execute(&b, v)
	return textOrError(b.Bytes(), err)
}

func leakHTMLTemplate(v any) string {
	var b bytes.Buffer
	err := leakHTMLSource.Execute(&b, v)
	return textOrError(b.Bytes(), err)
}
