# Shared by run and long; sourced, not run.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null # nothing here reads input

root=$PWD
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

export GOWORK=off
# Nothing uses the stamp of the commit, and git fails to tell it if another user owns the clone.
export GOFLAGS="${GOFLAGS:+$GOFLAGS }-buildvcs=false"

# step runs a function in a subshell and prints a heading and the duration. It goes on after a
# failure, so that one run shows all of them; finish reports them. The subshell is not part of a
# condition: bash would ignore set -e inside one.
step() {
	local name=$1 began=$SECONDS status
	printf '\n=== %s\n' "$name"
	set +e
	(
		set -e
		"$@"
	)
	status=$?
	set -e
	local word=ok
	if ((status != 0)); then
		word=FAILED
		failures+=("$name")
	fi
	printf -- '--- %s: %s, %d s\n' "$name" "$word" $((SECONDS - began))
	summary+=("$(printf '%-16s %-6s %5d s' "$name" "$word" $((SECONDS - began)))")
}
summary=()
failures=()

# finish prints the result and the time of each step. It exits with 0 only if every step succeeded.
finish() {
	printf '\n=== summary\n'
	printf '%s\n' "${summary[@]}"
	printf '%-16s %-6s %5d s\n' total '' "$SECONDS"
	if ((${#failures[@]} > 0)); then
		printf 'failed: %s\n' "${failures[*]}"
		exit 1
	fi
	printf 'all steps passed\n'
	exit 0
}

# select_steps sets selected to the steps that are named, or to all if none is.
select_steps() {
	local name
	selected=("$@")
	if (($# == 0)); then selected=("${steps[@]}"); fi
	for name in "${selected[@]}"; do
		if [[ " ${steps[*]} " != *" $name "* ]]; then
			echo "no step $name; there are: ${steps[*]}" >&2
			exit 2
		fi
	done
}

# tool runs a tool that tools/go.mod pins on the module of the working directory. The library itself
# does not depend on its tools.
tool() {
	go tool -modfile="$root/tools/go.mod" "$@"
}

# nested_modules prints the directories of the modules below this one, tools among them.
nested_modules() {
	find . -mindepth 1 \( -name '.*' -o -name testdata -o -name node_modules \) -prune -o \
		-name go.mod ! -path ./go.mod -printf '%h\n' | sort
}

# in_modules runs a command in each of the directories before "--". It fails if one command fails.
in_modules() {
	local dirs=() dir failed=0
	while [[ $1 != -- ]]; do
		dirs+=("$1")
		shift
	done
	shift
	for dir in "${dirs[@]}"; do
		echo "$dir: $*"
		(cd "$dir" && "$@") || failed=1
	done
	return $failed
}

# fuzz_targets prints "package function" for each fuzz function. It builds only packages whose test
# files have one.
fuzz_targets() {
	local package
	go list -f '{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}
{{end}}' ./... >"$tmp/testfiles"
	while read -r package file; do
		if [[ -n $file ]] && grep -q '^func Fuzz' "$file"; then echo "$package"; fi
	done <"$tmp/testfiles" | sort -u >"$tmp/fuzzpackages"
	for package in $(<"$tmp/fuzzpackages"); do
		go test -list '^Fuzz' "$package" >"$tmp/list"
		sed -n "s|^\(Fuzz.*\)|$package \1|p" "$tmp/list"
	done
}

# fuzz_one fuzzes one function for $FUZZTIME and prints a failing input, since the clone it is
# written to may be deleted soon.
#
# Use a count (2000x): before Go 1.27 a run that ends by the clock can fail with "context deadline
# exceeded" and no failing input (golang/go#75804).
fuzz_one() {
	local package=$1 function=$2 status=0 input dir
	dir=$(go list -f '{{.Dir}}' "$package")
	go test -run='^$' -fuzz="^$function\$" -fuzztime="$FUZZTIME" -fuzzminimizetime=200x "$package" \
		</dev/null | tee "$tmp/fuzz" || status=$?
	if ((status != 0)); then
		input=$(sed -n 's|.*Failing input written to \(testdata/fuzz/.*\)|\1|p' "$tmp/fuzz")
		if [[ -n $input ]]; then
			echo "$input:"
			cat "$dir/$input"
		fi
	fi
	return $status
}
