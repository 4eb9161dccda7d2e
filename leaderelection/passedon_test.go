package leaderelection

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// A field that is passed on to nobody would change nothing, and no other test would fail.
func TestEveryFieldOfAConfigurationIsPassedOnOrTheElectorsOwn(t *testing.T) {
	elector := []string{"Lock", "LeaseDuration", "RetryPeriod", "Callbacks", "WatchDog", "Readiness", "Name", "ContendAgain", "Witnesses", "Priority", "Trace", "Clock"}
	parts := func(c *LeaderElectionConfig) []any {
		return []any{c.candidate(nil, nil), c.leader(nil, nil, nil)}
	}
	for i := range reflect.TypeFor[LeaderElectionConfig]().NumField() {
		var config LeaderElectionConfig
		without := parts(&config)
		value := reflect.ValueOf(&config).Elem().Field(i)
		switch value.Kind() {
		case reflect.Bool:
			value.SetBool(true)
		case reflect.Int64:
			value.SetInt(int64(time.Hour))
		case reflect.Func:
			value.Set(reflect.MakeFunc(value.Type(), func([]reflect.Value) []reflect.Value { return nil }))
		}
		name := reflect.TypeFor[LeaderElectionConfig]().Field(i).Name
		assert.Equal(t, slices.Contains(elector, name), reflect.DeepEqual(without, parts(&config)), name)
	}
}

// So would a function of a Trace that nobody calls: in a term that is taken away, with a
// watch that fails, each has something to be told.
func TestEveryFunctionOfATraceIsCalled(t *testing.T) {
	within(t, func(t *testing.T) {
		trace, told := new(Trace), make(chan string, 100)
		functions := reflect.ValueOf(trace).Elem()
		for i := range functions.NumField() {
			name := functions.Type().Field(i).Name
			functions.Field(i).Set(reflect.MakeFunc(functions.Field(i).Type(), func([]reflect.Value) []reflect.Value {
				told <- name
				return nil
			}))
		}
		m := newMemory()
		lock := m.lock("a")
		lock.watchErr = errors.New("no watch")
		m.edit(func(state *rl.Snapshot) { *state = held("other", "", 0, 15*s) })
		contend(t, lock, func(c *LeaderElectionConfig) { c.Trace = trace })
		sleep(30 * s)
		m.edit(func(state *rl.Snapshot) { *state = held("other", "", 30*s, 15*s) })
		sleep(10 * s)
		close(told)
		called := map[string]bool{}
		for name := range told {
			called[name] = true
		}
		for i := range functions.NumField() {
			name := functions.Type().Field(i).Name
			assert.True(t, called[name], name)
		}
	})
}
