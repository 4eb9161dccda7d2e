// Mutants breaks the rules of a package, one at a time, and runs the package's
// tests on each: a rule whose breaking nobody finds is not tested.
//
//	go run ./internal/mutants -package leaderelection -known leaderelection/mutants.txt
//
// A mutant is one changed operator or condition: < for <=, && for ||, + for -, min
// for max, a condition that is always true or never. It is compiled by an
// overlay, so that no file is touched. A mutant that fails a test, or makes the
// tests hang, is found. One that survives must stand, with a reason, in the file
// of known survivors, a line for each: what is printed here, a tab, the reason.
//
// A run over everything takes hours; -files, -every and -budget limit it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

var (
	dir    = flag.String("package", "leaderelection", "the directory of the package")
	files  = flag.String("files", "*.go", "which of its files to break, as a pattern")
	known  = flag.String("known", "leaderelection/mutants.txt", "the file of known survivors")
	every  = flag.Int("every", 1, "take each mutant of so many")
	offset = flag.Int("offset", 0, "begin with this one")
	budget = flag.Duration("budget", 12*time.Hour, "start no mutant after this time")
	limit  = flag.Duration("limit", 10*time.Minute, "how long the tests of one mutant may take")
)

func main() {
	flag.Parse()
	unknown, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	if unknown > 0 {
		os.Exit(1)
	}
}

// run breaks what is asked for, and returns how many mutants have survived that
// nobody has given a reason for.
func run() (int, error) {
	reasons, err := readKnown(*known)
	if err != nil {
		return 0, err
	}
	paths, err := filepath.Glob(filepath.Join(*dir, *files))
	if err != nil {
		return 0, err
	}
	temporary, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(temporary)
	began, count, tried, survived, unknown := time.Now(), 0, 0, 0, 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		mutants, err := mutantsOf(path)
		if err != nil {
			return 0, err
		}
		for _, m := range mutants {
			if count++; count <= *offset || (count-*offset-1)%*every != 0 || time.Since(began) > *budget {
				continue
			}
			tried++
			verdict, err := test(temporary, path, m)
			if err != nil {
				return 0, err
			}
			if verdict == "SURVIVES" {
				survived++
				if reason, ok := reasons[m.name]; ok {
					verdict = "survives, since " + reason
				} else {
					unknown++
				}
			}
			fmt.Printf("%s\t%s (line %d)\n", m.name, verdict, m.line)
		}
	}
	fmt.Printf("%d mutants, %d tried in %v, %d survive, %d of them without a reason\n",
		count, tried, time.Since(began).Round(time.Second), survived, unknown)
	return unknown, nil
}

// readKnown reads the file of known survivors: name, tab, reason.
func readKnown(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	reasons := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, reason, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			reasons[name] = strings.TrimSpace(reason)
		}
	}
	return reasons, err
}

// mutant is a file with one rule broken.
type mutant struct {
	name string // says what was broken, in which function
	line int
	text []byte
}

// mutantsOf returns all mutants of a file.
func mutantsOf(path string) ([]mutant, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var mutants []mutant
	names := map[string]int{}
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		ast.Inspect(function.Body, func(node ast.Node) bool {
			for _, change := range changesOf(node) {
				before := source(set, node)
				change.apply()
				after := source(set, node)
				var text bytes.Buffer
				err = printer.Fprint(&text, set, file)
				change.undo()
				name := fmt.Sprintf("%s: %s: %s -> %s", filepath.Base(path), function.Name.Name, before, after)
				if names[name]++; names[name] > 1 {
					name += fmt.Sprintf(" #%d", names[name])
				}
				mutants = append(mutants, mutant{name, set.Position(node.Pos()).Line, text.Bytes()})
			}
			return err == nil
		})
	}
	return mutants, err
}

// source is the first line of a node.
func source(set *token.FileSet, node ast.Node) string {
	var text bytes.Buffer
	if statement, ok := node.(*ast.IfStmt); ok {
		text.WriteString("if ")
		node = statement.Cond
	}
	_ = printer.Fprint(&text, set, node) // to a buffer
	line, _, cut := strings.Cut(text.String(), "\n")
	if cut {
		line += " ..."
	}
	return line
}

// change is one way to break a node.
type change struct{ apply, undo func() }

var operators = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

// changesOf returns all ways to break a node.
func changesOf(node ast.Node) (changes []change) {
	switch n := node.(type) {
	case *ast.BinaryExpr:
		was := n.Op
		if literal, ok := n.X.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			return nil
		}
		if now, ok := operators[was]; ok {
			changes = append(changes, change{func() { n.Op = now }, func() { n.Op = was }})
		}
	case *ast.CallExpr:
		if name, ok := n.Fun.(*ast.Ident); ok && (name.Name == "min" || name.Name == "max") {
			was := name.Name
			now := map[string]string{"min": "max", "max": "min"}[was]
			changes = append(changes, change{func() { name.Name = now }, func() { name.Name = was }})
		}
	case *ast.IfStmt:
		was := n.Cond
		for _, constant := range []string{"true || ", "false && "} {
			operator := token.LOR
			if strings.HasPrefix(constant, "false") {
				operator = token.LAND
			}
			value := ast.NewIdent(strings.Fields(constant)[0])
			now := &ast.BinaryExpr{X: value, Op: operator, Y: &ast.ParenExpr{X: was}}
			changes = append(changes, change{func() { n.Cond = now }, func() { n.Cond = was }})
		}
	}
	return changes
}

// test runs the tests on a mutant: those without worlds first, which are faster.
func test(temporary, path string, m mutant) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	broken, overlay := filepath.Join(temporary, "mutant.go"), filepath.Join(temporary, "overlay.json")
	if err := os.WriteFile(broken, m.text, 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {absolute: broken}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(temporary, "mutant.test")
	if output, err := exec.Command("go", "test", "-ldflags=-s -w", "-overlay", overlay, "-c", "-o", binary, "./"+*dir).CombinedOutput(); err != nil {
		if bytes.Contains(output, []byte("declared and not used")) || bytes.Contains(output, []byte(".go:")) {
			return "does not compile", nil
		}
		return "", fmt.Errorf("%w: %s", err, output)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	for _, which := range [][]string{
		{"-test.skip", "TestSimulation|TestASeedReplays"},
		{"-test.run", "TestSimulation$", "-sim.elections=2000"},
	} {
		command := exec.CommandContext(ctx, binary, append(which, "-test.failfast", "-test.timeout", limit.String())...)
		command.Dir = *dir
		if err := command.Run(); err != nil {
			if ctx.Err() != nil {
				return "hangs", nil
			}
			return "found", nil
		}
	}
	return "SURVIVES", nil
}
