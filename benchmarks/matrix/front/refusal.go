package front

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Refuse answers with a status, and asks to wait for retryAfter, in whole
// seconds; zero asks nothing.
func Refuse(status int, retryAfter time.Duration) Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc, _ <-chan struct{}) {
		askToWait(w, retryAfter)
		refuse(w, status)
	}
}

// refuse answers in the API server's stead.
func refuse(w http.ResponseWriter, code int) {
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Message: fmt.Sprintf("front: %d %s", code, http.StatusText(code)),
	}
	body, err := json.Marshal(status)
	if err != nil { // a struct of strings and numbers always marshals
		body = nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client may have gone
}

func askToWait(w http.ResponseWriter, d time.Duration) {
	if d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(d/time.Second)))
	}
}

// endlessPace is how often another byte of an endless body comes.
const endlessPace = 20 * time.Millisecond

// RefuseWithoutEnd is Refuse with a body that goes on until the fault is over,
// a byte at a time.
func RefuseWithoutEnd(status int, retryAfter time.Duration) Answer {
	return func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc, over <-chan struct{}) {
		w.Header().Set("Content-Type", "text/plain")
		askToWait(w, retryAfter)
		w.WriteHeader(status)
		for {
			if !send(w, []byte{'.'}) || wait(r, endlessPace, over) != waited {
				return
			}
		}
	}
}
