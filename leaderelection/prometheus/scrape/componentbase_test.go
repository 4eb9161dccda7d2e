package scrape

import (
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/component-base/config"
	componentbase "k8s.io/component-base/config/options"
	configv1alpha1 "k8s.io/component-base/config/v1alpha1"

	"github.com/holdfast-go/holdfast/leaderelection/options"
)

// The library itself does not need component-base, so what package options
// promises of it is held here, where component-base is at hand.

func TestOptionsHaveEveryFlagOfComponentBase(t *testing.T) {
	theirs := pflag.NewFlagSet("", pflag.ContinueOnError)
	componentbase.BindLeaderElectionFlags(&config.LeaderElectionConfiguration{}, theirs)
	ours := pflag.NewFlagSet("", pflag.ContinueOnError)
	o := options.Default()
	o.AddFlags(ours)
	number := 0
	theirs.VisitAll(func(flag *pflag.Flag) {
		number++
		if found := ours.Lookup(flag.Name); assert.NotNil(t, found, "--%s", flag.Name) {
			assert.Equal(t, flag.Value.Type(), found.Value.Type(), "--%s", flag.Name)
		}
	})
	assert.GreaterOrEqual(t, number, 7)
}

func TestOptionsHaveEveryFieldOfComponentBase(t *testing.T) {
	theirs, ours := reflect.TypeFor[configv1alpha1.LeaderElectionConfiguration](), reflect.TypeFor[options.Options]()
	for i := range theirs.NumField() {
		field := theirs.Field(i)
		found, has := ours.FieldByName(field.Name)
		require.True(t, has, field.Name)
		kind := field.Type
		if kind.Kind() == reflect.Pointer { // LeaderElect, where nil is theirs to default
			kind = kind.Elem()
		}
		assert.Equal(t, kind, found.Type, field.Name)
		assert.Equal(t, name(field), name(found), "%s in a file", field.Name)
	}
}

// name returns what a field is called in a file.
func name(field reflect.StructField) string {
	tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return tag
}
