/**
 * @file What the library needs from the browser, gathered in one object so that tests can replace it.
 */

import { holderName } from './holder.js';

/** @typedef {'hidden'|'blurred'|'frozen'|'closed'} Lapse Why no key can be held on purpose. Blurred: another window has the keyboard. */

/**
 * @typedef {object} Env
 * @property {(url: string, protocols: string[]) => WebSocket} openSocket
 * @property {(config: RTCConfiguration) => RTCPeerConnection} openPeer
 * @property {() => MediaStream} newStream
 * @property {(url: string, init: RequestInit) => Promise<Response>} fetch
 * @property {string} origin The page's origin.
 * @property {SubtleCrypto|undefined} subtle Missing outside secure contexts.
 * @property {() => number} now Monotonic time in ms since {@link Env.originMs}.
 * @property {number} originMs Unix time in ms at which `now` was 0; fixed, so `originMs + now()` never jumps.
 * @property {(run: () => void, ms: number) => () => void} every Runs a function regularly until the result is called.
 * @property {() => boolean} hidden Whether the page is hidden, so that the browser does not show frames.
 * @property {(run: () => void) => () => void} onWake Runs a function when the page is shown again or the network is back.
 * @property {(run: () => void) => () => void} onNetwork Runs a function when the browser has another network.
 * @property {(run: (why: Lapse) => void) => () => void} onAway Runs a function when the page is hidden, left
 *   for another window, put to sleep, or closed.
 * @property {() => boolean} canDecode Whether {@link Env.newDecoder} can be called: WebCodecs works in secure contexts only.
 * @property {() => Promise<string[]>} decodable Media types of video that {@link Env.newDecoder} decodes, the preferred one first.
 * @property {(handlers: DecoderHandlers) => Decoder} newDecoder
 * @property {() => Screen} newScreen Something to draw decoded frames on.
 * @property {() => (Gamepad|null)[]} gamepads
 * @property {() => string} holder The name of this page, the same as long as it is open.
 * @property {(element: Element, run: (seen: boolean) => void) => () => void} watchSeen
 *   Reports whether an element is on the screen, at first and then on every change.
 */

/**
 * @typedef {Pick<VideoFrame, 'displayWidth'|'displayHeight'|'timestamp'|'close'>} DecodedFrame
 *
 * @typedef {object} DecoderHandlers
 * @property {(frame: DecodedFrame) => void} output
 * @property {() => void} error The decoder has failed and is unusable.
 * @property {() => void} dequeue The decoder's queue has become shorter.
 *
 * @typedef {object} Decoder
 * @property {(codec: string) => void} configure
 * @property {(key: boolean, timestampUs: number, data: Uint8Array<ArrayBuffer>) => void} decode
 * @property {number} waiting The number of pictures waiting to be decoded.
 * @property {() => void} close
 *
 * @typedef {object} Screen
 * @property {MediaStreamTrack} track What is drawn, as a track.
 * @property {(frame: DecodedFrame) => void} draw
 * @property {() => void} close
 */

/**
 * Codec strings to decode, by media type: the least H.264 that cameras may send, H.265 up to 4K, of which decoders are
 * hardware with a limit, and VP8 for browsers without H.264.
 */
const CODECS = { 'video/H264': 'avc1.42e01f', 'video/H265': 'hev1.1.6.L153.b0', 'video/VP8': 'vp8' };

/** @returns {Promise<string[]>} */
async function decodable() {
  const supported = await Promise.all(Object.entries(CODECS).map(async ([type, codec]) => {
    const { supported: is } = await VideoDecoder.isConfigSupported({ codec }).catch(() => ({ supported: false }));
    return is ? [type] : [];
  }));
  return supported.flat();
}

/** @param {DecoderHandlers} handlers @returns {Decoder} */
function newDecoder({ output, error, dequeue }) {
  const decoder = new VideoDecoder({ output, error });
  decoder.ondequeue = dequeue;
  return {
    configure: (codec) => decoder.configure({ codec, optimizeForLatency: true }),
    decode: (key, timestamp, data) => decoder.decode(new EncodedVideoChunk({ type: key ? 'key' : 'delta', timestamp, data })),
    get waiting() {
      return decoder.decodeQueueSize;
    },
    close: () => void (decoder.state === 'closed' || decoder.close()),
  };
}

/** @returns {Screen} */
function newScreen() {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { alpha: false });
  const [track] = canvas.captureStream().getVideoTracks();
  return {
    track,
    draw(frame) {
      if (canvas.width !== frame.displayWidth || canvas.height !== frame.displayHeight) {
        canvas.width = frame.displayWidth;
        canvas.height = frame.displayHeight;
      }
      context?.drawImage(/** @type {VideoFrame} */ (frame), 0, 0);
    },
    close: () => track.stop(),
  };
}

/** One name per page: two connections of a page belong to one person. */
let holder = '';

/** @returns {Env} */
export function browserEnv() {
  return {
    openSocket: (url, protocols) => new WebSocket(url, protocols),
    openPeer: (config) => new RTCPeerConnection(config),
    newStream: () => new MediaStream(),
    fetch: (url, init) => fetch(url, init),
    origin: location.origin,
    subtle: crypto.subtle,
    now: () => performance.now(),
    originMs: performance.timeOrigin,
    every(run, ms) {
      const timer = setInterval(run, ms);
      return () => clearInterval(timer);
    },
    hidden: () => document.hidden,
    onWake(run) {
      const wake = () => document.hidden || run();
      document.addEventListener('visibilitychange', wake);
      window.addEventListener('online', wake);
      window.addEventListener('pageshow', wake);
      return () => {
        document.removeEventListener('visibilitychange', wake);
        window.removeEventListener('online', wake);
        window.removeEventListener('pageshow', wake);
      };
    },
    onNetwork(run) {
      const { connection } = /** @type {any} */ (navigator);
      window.addEventListener('online', run);
      connection?.addEventListener?.('change', run);
      return () => {
        window.removeEventListener('online', run);
        connection?.removeEventListener?.('change', run);
      };
    },
    onAway(run) {
      const hidden = () => document.hidden && run('hidden');
      const left = () => run('blurred');
      const frozen = () => run('frozen');
      const closed = () => run('closed');
      document.addEventListener('visibilitychange', hidden);
      window.addEventListener('blur', left);
      document.addEventListener('freeze', frozen);
      window.addEventListener('pagehide', closed);
      return () => {
        document.removeEventListener('visibilitychange', hidden);
        window.removeEventListener('blur', left);
        document.removeEventListener('freeze', frozen);
        window.removeEventListener('pagehide', closed);
      };
    },
    canDecode: () => typeof VideoDecoder === 'function' && typeof HTMLCanvasElement.prototype.captureStream === 'function',
    decodable,
    newDecoder,
    newScreen,
    gamepads: () => navigator.getGamepads?.() ?? [],
    holder() {
      const brands = /** @type {any} */ (navigator).userAgentData?.brands?.map((/** @type {any} */ b) => b.brand) ?? [];
      holder ||= holderName(navigator.userAgent, brands, Math.random());
      return holder;
    },
    watchSeen(element, run) {
      const observer = new IntersectionObserver((entries) => run(entries.at(-1)?.isIntersecting ?? true));
      observer.observe(element);
      return () => observer.disconnect();
    },
  };
}
