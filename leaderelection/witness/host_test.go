package witness

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/internal/death"
	"github.com/holdfast-go/holdfast/internal/death/deathtest"
)

// aHost is a container as the kubelet makes it, in a folder. Its process is not the
// first one there.
func aHost(t *testing.T, files map[string]string) host {
	t.Helper()
	h := host{root: t.TempDir(), pid: 7}
	all := map[string]string{
		tokenFile:   aToken("kube-system", "controller-0", deathtest.UID),
		mountFile:   mountLine("/var/lib/kubelet/pods/"+deathtest.UID+"/containers/manager/0a1b2c3d", defaultLog),
		ownCgroup:   "0::/\n",
		firstCgroup: "0::/\n",
		defaultLog:  "",
	}
	for path, content := range files {
		all[path] = content
	}
	for path, content := range all {
		if content == absent {
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(h.path(path)), 0o700))
		require.NoError(t, os.WriteFile(h.path(path), []byte(content), 0o600))
	}
	return h
}

const absent = "\x00absent"

func aToken(namespace, pod, uid string) string {
	payload := fmt.Sprintf(`{"kubernetes.io":{"namespace":%q,"pod":{"name":%q,"uid":%q}}}`, namespace, pod, uid)
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func mountLine(source, target string) string {
	return "734 722 259:1 " + source + " " + target + " rw,relatime master:1 - ext4 /dev/root rw\n"
}

func TestAnOrdinaryPodKnowsItself(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		given instance
		log   string
	}{
		"by itself":        {nil, instance{}, defaultLog},
		"all given":        {map[string]string{tokenFile: absent, mountFile: absent}, instance{"kube-system", "controller-0", deathtest.UID, "manager", "/log"}, "/log"},
		"container given":  {map[string]string{mountFile: ""}, instance{container: "manager"}, defaultLog},
		"a log of its own": {map[string]string{mountFile: mountLine("/pods/"+deathtest.UID+"/containers/manager/ffffffff", "/tmp/my\\040log")}, instance{}, "/tmp/my log"},
		"another Pod's log is mounted as well": {map[string]string{mountFile: mountLine("/k/pods/another/containers/manager/ffffffff", "/other") +
			mountLine("/k/pods/"+deathtest.UID+"/containers/manager/0a1b2c3d", defaultLog)}, instance{}, defaultLog},
		"mounted twice": {map[string]string{mountFile: mountLine("/k/pods/"+deathtest.UID+"/containers/manager/0a1b2c3d", defaultLog) +
			mountLine("/k/pods/"+deathtest.UID+"/containers/manager/0a1b2c3d", "/again")}, instance{}, defaultLog},
		"another container's log is mounted as well, and the path is given": {map[string]string{mountFile: mountLine("/k/pods/"+deathtest.UID+"/containers/sidecar/ffffffff", "/other") +
			mountLine("/k/pods/"+deathtest.UID+"/containers/manager/0a1b2c3d", defaultLog)}, instance{log: defaultLog}, defaultLog},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := aHost(t, c.files).identify(c.given)
			require.NoError(t, err)
			assert.Equal(t, instance{"kube-system", "controller-0", deathtest.UID, "manager", c.log}, found)
		})
	}
}

func TestWhoCannotTellWhichContainerItIsLeavesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		given instance
		says  string
	}{
		"no token":                        {map[string]string{tokenFile: absent}, instance{}, "there is no token"},
		"a token bound to nothing":        {map[string]string{tokenFile: "e30.e30.c2ln"}, instance{}, "bound to none"},
		"a token that is none":            {map[string]string{tokenFile: "secret"}, instance{}, "Web Token has 3"},
		"an endless token":                {map[string]string{tokenFile: strings.Repeat("a", longestToken+1)}, instance{}, "more than"},
		"a token of another Pod":          {nil, instance{pod: "controller-1"}, `given as "controller-1"`},
		"a token of another UID":          {nil, instance{uid: "another"}, `given as "another"`},
		"no mounts":                       {map[string]string{mountFile: absent}, instance{}, "not both given"},
		"no log mounted":                  {map[string]string{mountFile: mountLine("/", "/")}, instance{}, "no termination log"},
		"the mounts are of another Pod":   {map[string]string{mountFile: mountLine("/pods/another/containers/manager/0a1b2c3d", defaultLog)}, instance{}, "1 of other Pods"},
		"a static Pod, given a mirror's":  {nil, instance{namespace: "a", pod: "b", uid: "c"}, "of Pod c, 1 of other Pods"},
		"the log is mounted elsewhere":    {nil, instance{log: "/elsewhere"}, "no termination log"},
		"logs of two containers mounted":  {map[string]string{mountFile: mountLine("/pods/"+deathtest.UID+"/containers/manager/0a1b2c3d", "/a") + mountLine("/pods/"+deathtest.UID+"/containers/sidecar/0a1b2c3d", "/b")}, instance{}, "two containers"},
		"logs of two instances mounted":   {map[string]string{mountFile: mountLine("/pods/"+deathtest.UID+"/containers/manager/0a1b2c3d", "/a") + mountLine("/pods/"+deathtest.UID+"/containers/manager/ffffffff", "/b")}, instance{}, "two containers"},
		"a volume that looks like a log":  {map[string]string{mountFile: mountLine("/pods/"+deathtest.UID+"/volumes/containers/manager/0a1b2c3d", "/a")}, instance{}, "no termination log"},
		"a file in a folder of such name": {map[string]string{mountFile: mountLine("/pods/"+deathtest.UID+"/containers/manager/0a1b2c3d/x", "/a")}, instance{}, "no termination log"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := aHost(t, c.files).identify(c.given)
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestTheEndOfTheContainerMustBeTheEndOfTheProcess(t *testing.T) {
	first := aHost(t, map[string]string{firstCgroup: absent, ownCgroup: absent})
	first.pid = 1
	assert.NoError(t, first.endsWithItsContainer())
	assert.NoError(t, aHost(t, nil).endsWithItsContainer(), "a child of the container's first process")
	for name, files := range map[string]map[string]string{
		"a PID namespace of the Pod": {firstCgroup: "0::/../pause\n"},
		"the host's PID namespace":   {firstCgroup: "0::/../../../init.scope\n"},
		"hidden":                     {firstCgroup: absent},
		"no cgroups":                 {firstCgroup: "", ownCgroup: ""},
		"cgroups without a line":     {firstCgroup: "\n", ownCgroup: "\n"},
	} {
		assert.Error(t, aHost(t, files).endsWithItsContainer(), name)
	}
	shared := aHost(t, nil)
	for path, target := range map[string]string{ownFiles: "mnt:[2]", firstFiles: "mnt:[1]"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(shared.path(path)), 0o700))
		require.NoError(t, os.Symlink(target, shared.path(path)))
	}
	assert.ErrorContains(t, shared.endsWithItsContainer(), "mount namespace", "all are in one cgroup")
}

func TestTheWordIsALineOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	_, err := writeWord(path)
	require.ErrorIs(t, err, os.ErrNotExist, "the kubelet shows no file that it has not made")
	require.NoFileExists(t, path)
	require.NoError(t, os.WriteFile(path, []byte("no end of line"), 0o600))
	w, err := writeWord(path)
	require.NoError(t, err)
	again, err := writeWord(path)
	require.NoError(t, err)
	assert.Equal(t, w, again)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "no end of line\n"+string(w)+"\n", string(content))
	assert.True(t, death.Says(string(content)+"what comes later", w.Hash()))

	_, err = writeWord(t.TempDir())
	require.ErrorContains(t, err, "no regular file")
	other, err := death.NewWord()
	require.NoError(t, err)
	assert.NotEqual(t, w, other)
	assert.Regexp(t, `^holdfast-witness [0-9a-f]{32}$`, other)
}

func TestAPodLeavesItsTestimony(t *testing.T) {
	p := &Pod{host: aHost(t, nil)}
	testimony, err := p.Leave(t.Context())
	require.NoError(t, err)
	read, err := death.ParsePodTestimony(testimony)
	require.NoError(t, err)
	line, err := os.ReadFile(p.host.path(defaultLog))
	require.NoError(t, err)
	assert.Equal(t, death.Word(strings.TrimSuffix(string(line), "\n")).Hash(), read.Hash)
	assert.NotContains(t, testimony, strings.Fields(string(line))[1], "what the Lease has cannot be quoted")

	again, err := (&Pod{host: p.host}).Leave(t.Context())
	require.NoError(t, err)
	assert.Equal(t, testimony, again, "one line for each process")

	for says, p := range map[string]*Pod{
		"cannot tell which container": {host: aHost(t, map[string]string{tokenFile: absent})},
		"may not be the end":          {host: aHost(t, map[string]string{firstCgroup: "0::/init\n"})},
		"cannot write":                {host: aHost(t, map[string]string{defaultLog: absent})},
		"is not valid":                {host: aHost(t, nil), Namespace: "Kube System", PodName: "a", UID: deathtest.UID},
	} {
		_, err := p.Leave(t.Context())
		assert.ErrorContains(t, err, says)
	}
}

func FuzzMounts(f *testing.F) {
	f.Add(mountLine("/var/lib/kubelet/pods/"+deathtest.UID+"/containers/manager/0a1b2c3d", defaultLog))
	f.Add(mountLine("/", "/") + mountLine("/pods/x/containers/a/ffffffff//deleted", `\040`))
	f.Add("1 2 3")
	f.Fuzz(func(t *testing.T, mountinfo string) {
		found := parseMounts(mountinfo)
		for _, m := range found {
			assert.Regexp(t, `^[0-9A-Za-z-]{1,64}$`, m.uid)
			assert.Len(t, m.file, 8)
			assert.NotEmpty(t, m.mountPoint)
		}
		if own, err := ownLog(found, types.UID(deathtest.UID), "", ""); err == nil {
			assert.Equal(t, types.UID(deathtest.UID), own.uid)
		}
	})
}
