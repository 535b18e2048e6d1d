/** @file Saves a camera's picture as a file. */

/** A camera that is away makes the gateway wait; after this time the picture on the screen is saved instead, in ms. */
const PATIENCE_MS = 2000;

/**
 * Saves the gateway's snapshot of a device, in the camera's best quality, or else the frame on the screen.
 * @param {string} device
 * @param {string} name First part of the file's name.
 * @param {HTMLVideoElement} video
 * @returns {Promise<boolean>} Whether there was a picture to save.
 */
export async function saveSnapshot(device, name, video) {
  const picture = (await fetchSnapshot(device)) ?? (await grab(video));
  if (!picture) return false;
  const url = URL.createObjectURL(picture);
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name}-${new Date().toISOString().replace(/[:.]/g, '-')}.jpg`;
  link.click();
  // In every browser we know, the download holds the data by the time the next task runs; be generous.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return true;
}

/** @param {string} device @returns {Promise<Blob|null>} */
async function fetchSnapshot(device) {
  try {
    const answer = await fetch(`snapshot/${encodeURIComponent(device)}.jpg`, {
      cache: 'no-store',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return answer.ok ? await answer.blob() : null;
  } catch {
    return null;
  }
}

/** @param {HTMLVideoElement} video @returns {Promise<Blob|null>} */
async function grab(video) {
  if (video.videoWidth === 0) return null;
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d')?.drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.92));
}
