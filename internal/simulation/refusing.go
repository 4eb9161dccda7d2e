package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// refusing is what is refused on a refusing network, and how.
type refusing struct {
	err                error
	read, write, watch bool
	// share is how many of them are refused.
	share float64
}

// of returns the error for a request, nil if it is not refused.
func (r refusing) of(kind string, random *rand.Rand) error {
	if r.share < 1 && random.Float64() >= r.share {
		return nil
	}
	if kind == "read" && r.read || kind == "write" && r.write || kind == "watch" && r.watch {
		return r.err
	}
	return nil
}

func (r refusing) String() string {
	return "refusing" + map[bool]string{true: " reads"}[r.read] + map[bool]string{true: " writes"}[r.write] + map[bool]string{true: " watches"}[r.watch] +
		fmt.Sprintf(", %v of them: %v", r.share, r.err)
}

// errSwallowed is what becomes of a write that is answered as done and is not:
// admission puts back what stood there, or a proxy answers in the server's place.
// Over HTTP the answer is the Lease as it is; a lock that has seen through that
// fails.
var errSwallowed = errors.New("answered as written, and nothing was")

// unexplained is a refusal without a reason, as the API server answers errors of
// etcd's that it does not know, and denials of webhooks that give none.
func unexplained(code int32, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message}}
}

// drawRefusing draws what is refused.
func drawRefusing(random *rand.Rand) refusing {
	r := refusing{write: true, share: []float64{1, 1, 0.75, 0.4}[random.IntN(4)]}
	switch random.IntN(4) {
	case 0:
		r.read = true
	case 1:
		r.watch, r.write = true, random.IntN(2) == 0
		if random.IntN(2) == 0 { // rights that were missing for a moment
			r.err = apierrors.NewForbidden(leases, "lease", errors.New("no rights"))
			return r
		}
	case 2:
		r.read, r.watch = true, true
	}
	r.err = []error{
		apierrors.NewTooManyRequests("too many requests", 0),
		apierrors.NewTooManyRequests("too many requests", 1+random.IntN(8)),
		apierrors.NewForbidden(leases, "lease", errors.New("no rights")),
		unexplained(http.StatusInternalServerError, "database is locked"),
		unexplained(http.StatusInternalServerError, "etcdserver: mvcc: database space exceeded"),
		unexplained(http.StatusForbidden, "admission webhook denied the request"),
		apierrors.NewInternalError(errors.New("rpc error: code = Unavailable")),
		errRefused,
	}[random.IntN(8)]
	if random.IntN(8) == 0 {
		return refusing{err: errSwallowed, write: true, share: r.share}
	}
	return r
}
