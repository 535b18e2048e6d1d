#!/bin/bash
# Firefox does not use WebRTC over the loopback interface.
#
# A page from http://127.0.0.1 cannot connect to a peer on the same machine whose only candidates are 127.0.0.1:
# Firefox gathers no loopback candidates, sends no checks from its other addresses to one of loopback ("Peer address is
# bogus", in the log of nicer), and reports no error. Chromium connects. Debian's firefox-esr 153.8.0 and chromium 156,
# puppeteer-core 25.16.0, pion/webrtc v4.2.20 (Go 1.26, Node 20), on a machine with one interface besides loopback.
#
# Seen:  firefox is not connected, chromium is connected
#
# So the page goes around WebRTC there, over WebSockets, and says why
# (services/webrtc-gateway/web/page/detourwords.js); see TestFirefoxOnTheRobot.
set -euo pipefail
cd "$(mktemp -d)"
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/pion/webrtc/v4"
)

// answer answers an offer with candidates of loopback alone.
func answer(w http.ResponseWriter, r *http.Request) {
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(net.IP.IsLoopback)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		panic(err)
	}
	offer, _ := io.ReadAll(r.Body)
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(offer)}); err != nil {
		panic(err)
	}
	a, err := pc.CreateAnswer(nil)
	if err != nil {
		panic(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	_ = pc.SetLocalDescription(a)
	<-gathered
	_, _ = io.WriteString(w, pc.LocalDescription().SDP)
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://%s/\n", l.Addr())
	http.HandleFunc("POST /offer", answer)
	http.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<p>page")
	})
	panic(http.Serve(l, nil))
}
GO
cat >browse.mjs <<'JS'
import puppeteer from 'puppeteer-core';

const [, , url] = process.argv;
const connect = async () => {
  const pc = new RTCPeerConnection();
  pc.createDataChannel('any');
  await pc.setLocalDescription();
  if (pc.iceGatheringState !== 'complete') {
    await new Promise((done) => { pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done(); });
  }
  const sdp = await (await fetch('/offer', { method: 'POST', body: pc.localDescription.sdp })).text();
  await pc.setRemoteDescription({ type: 'answer', sdp });
  for (let i = 0; i < 80 && pc.connectionState !== 'connected'; i += 1) await new Promise((r) => setTimeout(r, 100));
  return pc.connectionState === 'connected' ? 'is connected' : 'is not connected';
};
const results = [];
for (const [browser, executablePath] of [['firefox', '/usr/bin/firefox-esr'], ['chrome', '/usr/bin/chromium']]) {
  const b = await puppeteer.launch({
    browser, executablePath, args: browser === 'chrome' ? ['--no-sandbox'] : [],
  });
  const page = await b.newPage();
  await page.goto(url);
  results.push(`${browser === 'chrome' ? 'chromium' : browser} ${await page.evaluate(connect)}`);
  await b.close();
}
console.log(results.join(', '));
JS
go mod init finding >/dev/null 2>&1
go get github.com/pion/webrtc/v4@v4.2.20 >/dev/null 2>&1
npm install --silent --no-audit --no-fund puppeteer-core@25.16.0 >/dev/null 2>&1
GOWORK=off go build -o server . && ./server >url & server=$!
until [ -s url ]; do sleep 0.1; done
got=$(node browse.mjs "$(cat url)")
echo "$got"
[ "$got" = "firefox is not connected, chromium is connected" ] || { echo "this has changed" >&2; exit 1; }
