package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mutant is a rule that is broken where its number is chosen.
type mutant struct {
	name string // says what is broken, in which function of which file
	line int
}

// file is the one that is broken.
func (m mutant) file() string {
	file, _, _ := strings.Cut(m.name, ": ")
	return file
}

// chosen is the environment variable with the number of the mutant, from 1; 0 or
// nothing breaks nothing.
const chosen = "MUTANT"

// helpers is what broken rules are made of; it becomes a file of the package.
const helpers = `
import (
	"cmp"
	"os"
	"reflect"
	"slices"
	"strconv"
)

var mutantChosen = func() int { n, _ := strconv.Atoi(os.Getenv("` + chosen + `")); return n }()

func mutantOn(n int) bool { return mutantChosen == n }

func mutantEither[T any](n int, sound, broken T) T {
	if mutantOn(n) {
		return broken
	}
	return sound
}

func mutantNegated[T any](n int, what T) T {
	v := reflect.ValueOf(&what).Elem()
	switch {
	case !mutantOn(n):
	case v.CanInt():
		v.SetInt(-v.Int())
	case v.CanFloat():
		v.SetFloat(-v.Float())
	default:
		v.SetZero()
	}
	return what
}

func mutantMin[T cmp.Ordered](n int, of ...T) T {
	if mutantOn(n) {
		return slices.Max(of)
	}
	return slices.Min(of)
}

func mutantMax[T cmp.Ordered](n int, of ...T) T {
	if mutantOn(n) {
		return slices.Min(of)
	}
	return slices.Max(of)
}
`

// breakAll makes an overlay in which every rule of a package, in the files that
// the patterns name, can be broken.
func breakAll(dir, patterns, temporary string) (mutants []mutant, overlay string, err error) {
	replace := map[string]string{}
	add := func(name string, text []byte) error {
		path, err := filepath.Abs(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		replace[path] = filepath.Join(temporary, name)
		return os.WriteFile(replace[path], text, 0o600)
	}
	of, err := build.ImportDir(dir, 0)
	if err != nil {
		return nil, "", err
	}
	for _, name := range of.GoFiles {
		if !matches(patterns, name) {
			continue
		}
		found, text, err := breakFile(filepath.Join(dir, name), len(mutants))
		if err != nil {
			return nil, "", err
		}
		mutants = append(mutants, found...)
		if err := add(name, text); err != nil {
			return nil, "", err
		}
	}
	if err := add("mutants_chosen.go", []byte("package "+of.Name+"\n"+helpers)); err != nil {
		return nil, "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, "", err
	}
	overlay = filepath.Join(temporary, "overlay.json")
	return mutants, overlay, os.WriteFile(overlay, text, 0o600)
}

func matches(patterns, name string) bool {
	for pattern := range strings.SplitSeq(patterns, ",") {
		if ok, err := filepath.Match(pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

// breakFile returns a file, which is the build's, with every rule of it made
// breakable, and the mutants, numbered on from after.
func breakFile(path string, after int) ([]mutant, []byte, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, 0) // comments would stand in the way
	if err != nil {
		return nil, nil, err
	}
	b := breaker{set: set, file: filepath.Base(path), after: after, names: map[string]int{}}
	for _, declaration := range file.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Body != nil {
			b.function = function.Name.Name
			b.node(function.Body)
		}
	}
	var text bytes.Buffer
	err = printer.Fprint(&text, set, file)
	return b.mutants, text.Bytes(), err
}

type breaker struct {
	set            *token.FileSet
	file, function string
	after          int
	mutants        []mutant
	names          map[string]int
}

// mutant notes one and returns its number, as an expression.
func (b *breaker) mutant(of ast.Node, before, broken string) ast.Expr {
	name := fmt.Sprintf("%s: %s: %s -> %s", b.file, b.function, firstLine(before), firstLine(broken))
	if b.names[name]++; b.names[name] > 1 {
		name += fmt.Sprintf(" #%d", b.names[name])
	}
	b.mutants = append(b.mutants, mutant{name, b.set.Position(of.Pos()).Line})
	return &ast.BasicLit{Kind: token.INT, Value: strconv.Itoa(b.after + len(b.mutants))}
}

var operators = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

// broken is a way in which a node may be broken. Its text is taken before anything
// within the node is broken.
type broken struct {
	node          ast.Node
	before, after string
	apply         func(number ast.Expr)
}

// node makes everything within root breakable, the innermost last of each kind but
// applied first.
func (b *breaker) node(root ast.Node) {
	var found []broken
	ast.Inspect(root, func(node ast.Node) bool {
		found = append(found, b.ways(node)...)
		return true
	})
	numbers := make([]ast.Expr, len(found))
	for i, way := range found {
		numbers[i] = b.mutant(way.node, way.before, way.after)
	}
	for i := len(found) - 1; i >= 0; i-- {
		found[i].apply(numbers[i])
	}
}

// ways returns all ways to break a node.
func (b *breaker) ways(node ast.Node) []broken {
	switch n := node.(type) {
	case *ast.BinaryExpr:
		was, before := n.Op, b.source(n)
		now, ok := operators[was]
		if !ok || isString(n.X) || isString(n.Y) || isConstant(n.X) && isConstant(n.Y) {
			return nil
		}
		n.Op = now
		after := b.source(n)
		n.Op = was
		if was != token.ADD && was != token.SUB {
			return []broken{{n, before, after, func(number ast.Expr) {
				sound := &ast.BinaryExpr{X: paren(n.X), Op: was, Y: paren(n.Y)}
				unsound := &ast.BinaryExpr{X: paren(n.X), Op: now, Y: paren(n.Y)}
				on := call("mutantOn", number)
				n.X = &ast.BinaryExpr{X: on, Op: token.LAND, Y: paren(unsound)}
				n.Op = token.LOR
				n.Y = &ast.BinaryExpr{X: &ast.UnaryExpr{Op: token.NOT, X: on}, Op: token.LAND, Y: paren(sound)}
			}}}
		}
		return []broken{{n, before, after, func(number ast.Expr) {
			if _, literal := n.Y.(*ast.BasicLit); literal {
				sound := &ast.BinaryExpr{X: n.X, Op: was, Y: n.Y}
				unsound := &ast.BinaryExpr{X: n.X, Op: now, Y: n.Y}
				n.X, n.Op, n.Y = call("mutantEither", number, sound, unsound), token.ADD, &ast.BasicLit{Kind: token.INT, Value: "0"}
				return
			}
			n.Y = call("mutantNegated", number, n.Y)
		}}}
	case *ast.CallExpr:
		name, ok := n.Fun.(*ast.Ident)
		if !ok || name.Name != "min" && name.Name != "max" {
			return nil
		}
		was, now := name.Name, map[string]string{"min": "max", "max": "min"}[name.Name]
		before := b.source(n)
		name.Name = now
		after := b.source(n)
		name.Name = was
		return []broken{{n, before, after, func(number ast.Expr) {
			n.Fun = ast.NewIdent(map[string]string{"min": "mutantMin", "max": "mutantMax"}[was])
			n.Args = append([]ast.Expr{number}, n.Args...)
		}}}
	case *ast.IfStmt:
		before := "if " + b.source(n.Cond)
		cond := b.source(n.Cond)
		return []broken{
			{n, before, "if true || (" + cond + ")", func(number ast.Expr) {
				n.Cond = &ast.BinaryExpr{X: call("mutantOn", number), Op: token.LOR, Y: paren(n.Cond)}
			}},
			{n, before, "if false && (" + cond + ")", func(number ast.Expr) {
				not := &ast.UnaryExpr{Op: token.NOT, X: call("mutantOn", number)}
				n.Cond = &ast.BinaryExpr{X: not, Op: token.LAND, Y: paren(n.Cond)}
			}},
		}
	}
	return nil
}

func paren(e ast.Expr) ast.Expr { return &ast.ParenExpr{X: e} }

func call(function string, arguments ...ast.Expr) ast.Expr {
	return &ast.CallExpr{Fun: ast.NewIdent(function), Args: arguments}
}

func isString(e ast.Expr) bool {
	literal, ok := e.(*ast.BasicLit)
	if binary, nested := e.(*ast.BinaryExpr); nested {
		return isString(binary.X) || isString(binary.Y)
	}
	return ok && literal.Kind == token.STRING
}

// isConstant reports whether e is a literal, or a constant of the same file: an
// expression of nothing else has a type that its surroundings give it.
func isConstant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return e.Obj != nil && e.Obj.Kind == ast.Con
	}
	return false
}

func (b *breaker) source(node ast.Node) string {
	var text bytes.Buffer
	_ = printer.Fprint(&text, b.set, node) // to a buffer
	return text.String()
}

// firstLine is what of a node a name has.
func firstLine(text string) string {
	line, _, cut := strings.Cut(text, "\n")
	if cut {
		line += " ..."
	}
	return line
}
