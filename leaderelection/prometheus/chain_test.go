package holdfastprom

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// A function that is added to Trace reaches the program's own Trace too.
func TestEveryFunctionOfATraceIsPassedOn(t *testing.T) {
	kind := reflect.TypeFor[leaderelection.Trace]()
	for i := range kind.NumField() {
		var first, then leaderelection.Trace
		var told []string
		for who, trace := range map[string]*leaderelection.Trace{"first": &first, "then": &then} {
			of := reflect.ValueOf(trace).Elem()
			for j := range kind.NumField() {
				of.Field(j).Set(reflect.MakeFunc(kind.Field(j).Type, func([]reflect.Value) []reflect.Value {
					told = append(told, who)
					return nil
				}))
			}
		}
		both := reflect.ValueOf(chain(&first, &then)).Elem().Field(i)
		if assert.False(t, both.IsNil(), kind.Field(i).Name) {
			var args []reflect.Value
			for j := range kind.Field(i).Type.NumIn() {
				args = append(args, reflect.Zero(kind.Field(i).Type.In(j)))
			}
			both.Call(args)
			assert.Equal(t, []string{"first", "then"}, told, kind.Field(i).Name)
		}
	}
}
