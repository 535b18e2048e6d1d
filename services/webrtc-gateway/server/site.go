package server

import (
	"net/http"
	"net/url"
	"slices"
)

// free are the routes that any page may link to: they are served from memory, or by a robot of a fleet, which asks
// again.
var free = append([]string{pagePattern, "GET /healthz", folderPattern}, robotPatterns...)

// fromSite refuses what a browser requests for a foreign page, except for the free routes. Pictures, frames and links
// come without an Origin, so [guard.checkOrigin] does not see them; browsers describe them in Sec-Fetch-Site, which
// pages cannot set. Programs do not send it.
func (g *guard) fromSite(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, route := mux.Handler(r); isRemote(r) || !foreign(r) || slices.Contains(free, route) {
			mux.ServeHTTP(w, r)
			return
		}
		if !slices.Contains(g.config.Origins, referrer(r)) {
			http.Error(w, "a page of another site may not use this gateway; to allow it, add its origin to gateway.origins, "+
				"and let the page send its origin as referrer", http.StatusForbidden)
			return
		}
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		mux.ServeHTTP(w, r)
	})
}

// foreign reports whether a request was made by a page of another origin, without an Origin that was checked before.
// Another port of the same host is another origin.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return (site == "cross-site" || site == "same-site") && r.Header.Get("Origin") == ""
}

// referrer is the origin of the page that asks, as far as it is known. A page can hide its own, but cannot take
// another's.
func referrer(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
