// RTCBot's own JavaScript module, as it is in the PyPI package, in Node with libwebrtc: prints what happens as JSON
// lines, and obeys orders that it reads. Its argument is {module, url, video, audio, send}; orders are {"say": value}
// and {"close": true}. It ends with its orders.
const { createRequire } = require('node:module');
const fromHere = createRequire(`${process.cwd()}/readers/package.json`);
const wrtc = fromHere('@roamhq/wrtc');

globalThis.RTCPeerConnection = wrtc.RTCPeerConnection;
globalThis.navigator ??= {};
const wanted = JSON.parse(process.argv[2]);
const { RTCConnection } = require(wanted.module);

const tell = (event, value = null) => console.log(JSON.stringify({ event, value }));

/** @returns {MediaStreamTrack} a moving picture. */
function moving() {
  const source = new wrtc.nonstandard.RTCVideoSource();
  let number = 0;
  setInterval(() => {
    const data = new Uint8ClampedArray(320 * 240 * 1.5).fill(number++ % 200);
    source.onFrame({ width: 320, height: 240, data });
  }, 66).unref();
  return source.createTrack();
}

/** Reports the frames of a stream. */
function watch(stream) {
  const sink = new wrtc.nonstandard.RTCVideoSink(stream.getVideoTracks()[0]);
  sink.onframe = ({ frame }) => tell('frame', { shape: [frame.height, frame.width], streamed: stream.id !== '' });
}

async function main() {
  const connection = new RTCConnection(true, { iceServers: [] });
  connection.subscribe((m) => tell('message', m));
  if (wanted.video) connection.video.subscribe(watch);
  if (wanted.audio) connection.audio.subscribe((stream) => tell('sound', stream.getAudioTracks().length));
  if (wanted.send) connection.video.putSubscription(moving());
  const offer = await connection.getLocalDescription();
  const response = await fetch(wanted.url, { method: 'POST', cache: 'no-cache', body: JSON.stringify(offer) });
  if (!response.ok) {
    tell('refused', [response.status, await response.text()]);
    return;
  }
  const answer = await response.json();
  tell('answer', answer.sdp);
  await connection.setRemoteDescription(answer);
  connection._defaultChannel.addEventListener('open', () => tell('ready'));
  connection._defaultChannel.addEventListener('close', () => tell('closed'));
  let rest = '';
  process.stdin.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop();
    for (const order of lines.map((line) => JSON.parse(line))) {
      if ('say' in order) connection.put_nowait(order.say);
      else if (order.close) void connection.close();
    }
  });
  process.stdin.on('end', () => process.exit(0));
}

void main();
