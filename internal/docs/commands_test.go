package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	inline   = regexp.MustCompile("`([^`]+)`")
	indented = regexp.MustCompile(`(?m)^    (\S.*)$`)
	shell    = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	target   = regexp.MustCompile(`(?m)^([a-z-]+):`)
)

// commands returns what a document tells its reader to run: in backquotes, as an
// indented block or in one fenced with sh, and beginning with go, make, cd or
// the path of a script in .ci. One in backquotes may be broken by the end of a
// line.
func commands(document string) (found []string) {
	var candidates []string
	for _, block := range shell.FindAllStringSubmatch(document, -1) {
		candidates = append(candidates, strings.Split(block[1], "\n")...)
	}
	document = fence.ReplaceAllString(document, "")
	for _, line := range indented.FindAllStringSubmatch(document, -1) {
		candidates = append(candidates, line[1])
	}
	for _, span := range inline.FindAllStringSubmatch(document, -1) {
		candidates = append(candidates, span[1])
	}
	for _, c := range candidates {
		c = strings.Join(strings.Fields(c), " ")
		for _, begin := range []string{"go test ", "go run ", "make ", "cd ", ".ci/"} {
			if strings.HasPrefix(c, begin) && !slices.Contains(found, c) {
				found = append(found, c)
			}
		}
	}
	return found
}

// wrong says what a command names that does not exist in a checkout: a target of
// make, a script, a package, a test. It is empty for a good one.
func wrong(t *testing.T, checkout, command string) string {
	folder := checkout
	for part := range strings.SplitSeq(command, "&&") {
		words := strings.Fields(part)
		switch {
		case words[0] == "cd" && len(words) == 2:
			folder = filepath.Join(folder, words[1])
			if info, err := os.Stat(folder); err != nil || !info.IsDir() {
				return "no folder " + words[1]
			}
		case words[0] == "make" && len(words) == 2:
			makefile, err := os.ReadFile(filepath.Join(folder, "Makefile"))
			require.NoError(t, err)
			if !slices.ContainsFunc(target.FindAllStringSubmatch(string(makefile), -1), func(m []string) bool { return m[1] == words[1] }) {
				return "no target " + words[1]
			}
		case words[0] == "go" && len(words) > 2:
			if fault := wrongGo(t, folder, words[1:]); fault != "" {
				return fault
			}
		case strings.HasPrefix(words[0], ".ci/"):
			if info, err := os.Stat(filepath.Join(folder, words[0])); err != nil || info.Mode()&0o100 == 0 {
				return "no script " + words[0]
			}
		default:
			return "unknown to this check"
		}
	}
	return ""
}

func wrongGo(t *testing.T, folder string, words []string) string {
	var tests []string
	for _, word := range words[1:] {
		if !strings.HasPrefix(word, "./") {
			continue
		}
		path, all := strings.CutSuffix(word, "/...")
		if path == "." {
			path = "./"
		}
		path = filepath.Join(folder, path)
		found, err := filepath.Glob(filepath.Join(path, "*.go"))
		require.NoError(t, err)
		if len(found) == 0 && !all {
			return "no package " + word
		}
		tests = append(tests, testsOf(t, path)...)
	}
	if words[0] == "run" {
		if name := unknownFlag(t, folder, words[1:]); name != "" {
			return "no flag " + name
		}
	}
	if at := slices.Index(words, "-run"); at >= 0 && at+1 < len(words) {
		for name := range strings.SplitSeq(strings.Trim(words[at+1], "'\""), "|") {
			pattern, err := regexp.Compile(name)
			if err != nil {
				return err.Error()
			}
			if !slices.ContainsFunc(tests, pattern.MatchString) {
				return "no test " + name
			}
		}
	}
	return ""
}

// unknownFlag returns the first flag of a program, which is the first word, that
// its source does not name; "" where it names all.
func unknownFlag(t *testing.T, folder string, words []string) string {
	files, err := filepath.Glob(filepath.Join(folder, words[0], "*.go"))
	require.NoError(t, err)
	var source strings.Builder
	for _, path := range files {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		source.Write(content)
	}
	for _, word := range words[1:] {
		if word == "#" {
			break // a comment
		}
		name, isFlag := strings.CutPrefix(word, "-")
		name, _, _ = strings.Cut(strings.TrimPrefix(name, "-"), "=")
		if isFlag && name != "h" && name != "help" && !strings.Contains(source.String(), `"`+name+`"`) {
			return word
		}
	}
	return ""
}

// testsOf returns the names of the tests and examples in a folder.
func testsOf(t *testing.T, folder string) (names []string) {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// The commands in docs are listed with -v, for .ci/newcomer to run.
func TestCommandsNameWhatExists(t *testing.T) {
	number := 0
	texts := packageComments(t)
	for _, path := range documents(t) {
		texts[path] = read(t, path)
	}
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		for _, command := range commands(texts[path]) {
			// A document beside a program may speak from its own folder.
			fault := wrong(t, root, command)
			if fault != "" && path != "README.md" && wrong(t, filepath.Join(root, filepath.Dir(path)), command) == "" {
				fault = ""
			}
			assert.Empty(t, fault, "%s: %s", path, command)
			if filepath.Dir(path) == "docs" {
				t.Logf("command: %s", command)
			}
			number++
		}
	}
	assert.Greater(t, number, 5)
}

// inCI returns the lines that CI runs: the recipes of what make's target test
// stands for.
func inCI(makefile string) (lines []string) {
	recipes := map[string][]string{}
	var targets []string
	name := ""
	for line := range strings.Lines(makefile) {
		if head := target.FindStringSubmatch(line); head != nil {
			name = head[1]
			if _, needs, _ := strings.Cut(line, ":"); name == "test" {
				targets = strings.Fields(needs)
			}
		} else if recipe, isRecipe := strings.CutPrefix(line, "\t"); isRecipe {
			recipes[name] = append(recipes[name], strings.TrimSpace(recipe))
		}
	}
	for _, name := range targets {
		lines = append(lines, "make "+name)
		lines = append(lines, recipes[name]...)
	}
	return lines
}

// runs reports whether CI runs a command: the same line, or one that tests the
// same package from the same folder, or all packages there.
func runs(ci []string, command string) bool {
	folder, packages := tested(command)
	for _, line := range ci {
		if line == command || strings.HasPrefix(command, ".ci/") && slices.Contains(strings.Fields(line), strings.Fields(command)[len(strings.Fields(command))-1]) {
			return true
		}
		other, all := tested(line)
		if folder == other && len(packages) > 0 && !slices.ContainsFunc(packages, func(p string) bool {
			return !slices.Contains(all, p) && !slices.Contains(all, "./...")
		}) {
			return true
		}
	}
	return false
}

// tested returns the folder from which a command tests packages, and these.
// It is none for a command that tests some tests only under other conditions
// (-args).
func tested(command string) (folder string, packages []string) {
	if before, after, found := strings.Cut(command, " && "); found && strings.HasPrefix(before, "cd ") {
		folder, command = strings.TrimPrefix(before, "cd "), after
	}
	if !strings.HasPrefix(command, "go test ") || strings.Contains(command, " -args ") {
		return folder, nil
	}
	for _, word := range strings.Fields(command) {
		if strings.HasPrefix(word, "./") {
			packages = append(packages, word)
		}
	}
	return folder, packages
}

func TestEachDocumentHasCommandsThatCIRuns(t *testing.T) {
	ci := inCI(read(t, "Makefile"))
	require.Greater(t, len(ci), 10)
	for _, path := range documents(t) {
		if filepath.Dir(path) != "docs" {
			continue
		}
		number := 0
		for _, command := range commands(read(t, path)) {
			if runs(ci, command) {
				number++
			} else {
				t.Logf("%s: too long for CI, or all of it: %s", path, command)
			}
		}
		assert.Positive(t, number, path)
	}
}

func TestWhatCIRunsIsToldFromWhatItDoesNot(t *testing.T) {
	ci := inCI("test: fast lab walk\n\n# fast: all.\nfast:\n\tgo test -race ./...\n\nlab:\n\tcd b && go test -v ./x ./y\n\nwalk:\n\t.ci/walk one two\n\nlong:\n\tcd b && go test ./z\n")
	for command, want := range map[string]bool{
		"make fast": true, "make long": false, "go test ./p -run TestIt -v": true, "cd b && go test ./y -run TestIt": true,
		"cd b && go test ./z": false, "cd b && go run ./y": false, ".ci/walk two": true, ".ci/walk three": false, "go test ./p -args -long": false,
	} {
		assert.Equal(t, want, runs(ci, command), command)
	}
}

func TestACommandThatCannotBeRunIsFound(t *testing.T) {
	checkout := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(checkout, "p"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(checkout, "Makefile"), []byte("test: check\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(checkout, "p/p.go"), []byte("package main\nvar n = flag.Int(\"n\", 1, \"\")\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(checkout, "p/p_test.go"), []byte("package p\nfunc TestIt() {}\n"), 0o600))
	document := "`make test` and `go test ./p -run\nTestIt -v`, `make it` so `gofmt`\n\n    go run ./q\n\n```sh\ncd p && go test ./\n```\n" +
		"`cd r && go test ./...` `go test ./p -run 'It|That'` `.ci/none`\n" +
		"`go run ./p -n 3 -h # -x` `go run ./p -n=3 --m 4`\n"
	found := commands(document)
	faults := map[string]string{}
	for _, command := range found {
		faults[command] = wrong(t, checkout, command)
	}
	assert.Equal(t, map[string]string{
		"make test": "", "go test ./p -run TestIt -v": "", "cd p && go test ./": "",
		"make it": "no target it", "go run ./q": "no package ./q", "cd r && go test ./...": "no folder r",
		"go test ./p -run 'It|That'": "no test That", ".ci/none": "no script .ci/none",
		"go run ./p -n 3 -h # -x": "", "go run ./p -n=3 --m 4": "no flag --m",
	}, faults)
}
