package harness

import "testing"

// player adds a tile with a WHEP player to the page, and returns when it shows its first picture.
const player = `(async () => {
  const pc = new RTCPeerConnection();
  pc.addTransceiver('video', { direction: 'recvonly' });
  const video = Object.assign(document.createElement('video'), { muted: true });
  const tile = document.createElement('div');
  tile.dataset.device = $1;
  tile.append(video);
  document.body.append(tile);
  const first = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
  pc.ontrack = (e) => { video.srcObject = new MediaStream([e.track]); video.play(); };
  const offer = await pc.createOffer();
  if (!$2) offer.sdp = offer.sdp.split('\r\n').filter((line) => !line.includes('playout-delay')).join('\r\n');
  await pc.setLocalDescription(offer);
  const response = await fetch('/whep/' + $1, {
    method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
  await pc.setRemoteDescription({ type: 'answer', sdp: await response.text() });
  await first;
})()`

// AddPlayer adds a WHEP player of a device to a page of the robot, and returns when it shows a picture. It asks for
// the header extension playout-delay, as Chromium does by default, or leaves it out, as for servers that do not send
// it.
func (p *Page) AddPlayer(tb testing.TB, device string, playoutDelay bool) {
	tb.Helper()
	Eval[any](tb, p, player, device, playoutDelay)
}

// firstPicture is a minimal WHEP player with trickled candidates. It returns ms from the POST to the first picture.
const firstPicture = `(async () => {
  const pc = new RTCPeerConnection();
  pc.addTransceiver('video', { direction: 'recvonly' });
  const video = Object.assign(document.createElement('video'), { muted: true });
  document.body.append(video);
  pc.ontrack = (e) => { video.srcObject = new MediaStream([e.track]); video.play(); };
  await pc.setLocalDescription();
  const first = new Promise((resolve) => video.requestVideoFrameCallback(() => resolve(performance.now())));
  const posted = performance.now();
  const response = await fetch('/whep/' + $1, {
    method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
  const resource = new URL(response.headers.get('Location'), response.url);
  await pc.setRemoteDescription({ type: 'answer', sdp: await response.text() });
  pc.onicecandidate = (e) => e.candidate && fetch(resource, {
    method: 'PATCH', headers: { 'Content-Type': 'application/trickle-ice-sdpfrag' },
    body: 'a=mid:' + e.candidate.sdpMid + '\r\na=' + e.candidate.candidate + '\r\n' });
  const shown = await first;
  await fetch(resource, { method: 'DELETE' });
  pc.close();
  video.remove();
  return shown - posted;
})()`

// FirstPicture connects a WHEP player of a device once, and returns the time from the POST to the first picture, in
// ms.
func (p *Page) FirstPicture(tb testing.TB, device string) float64 {
	tb.Helper()
	return Eval[float64](tb, p, firstPicture, device)
}
