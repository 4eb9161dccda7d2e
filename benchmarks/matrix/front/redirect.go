package front

import "net/http"

// Redirect sends every request to where it was sent already.
func Redirect(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc, _ <-chan struct{}) {
	http.Redirect(w, r, r.URL.RequestURI(), http.StatusTemporaryRedirect)
}
