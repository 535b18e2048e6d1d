/** @file The list of all devices, whatever their kind. */

import { describeState } from './devicewords.js';
import { byId, make, setText } from './dom.js';
import { uptime } from './format.js';

/** @typedef {import('../proto/signaling.js').Device} Device */

/** Counts how often a device has restarted, as far as this page has seen. */
export class Restarts {
  count = 0;
  #epoch = '0';

  /** @param {string} epoch The device's life now; 0 while a robot's summary is all that is known of the device. */
  see(epoch) {
    if (epoch === '0') return;
    if (this.#epoch !== '0' && this.#epoch !== epoch) this.count += 1;
    this.#epoch = epoch;
  }
}

/** The table of devices. */
export class DeviceList {
  #section = byId('devices', HTMLElement);
  #count = byId('devices-count', HTMLElement);
  #body = byId('device-rows', HTMLTableSectionElement);
  /** @type {Map<string, Row>} */
  #rows = new Map();

  /** @param {Device[]} devices */
  show(devices) {
    this.#section.hidden = devices.length === 0;
    setText(this.#count, String(devices.length));
    const names = new Set(devices.map((d) => d.name));
    for (const [name, row] of this.#rows) {
      if (names.has(name)) continue;
      row.element.remove();
      this.#rows.delete(name);
    }
    devices.forEach((d, i) => this.#row(d, i).show(d));
  }

  /** @param {number} nowMs Gateway's time, Unix time in ms. */
  tick(nowMs) {
    for (const row of this.#rows.values()) row.tick(nowMs);
  }

  /** @param {Device} device @param {number} index Where it belongs. */
  #row(device, index) {
    let row = this.#rows.get(device.name);
    if (!row) this.#rows.set(device.name, (row = new Row()));
    if (this.#body.children[index] !== row.element) {
      this.#body.insertBefore(row.element, this.#body.children[index] ?? null);
    }
    return row;
  }
}

/** One device. */
class Row {
  element = make('tr');
  #name = make('th', { scope: 'row' });
  #kind = make('td', { class: 'kind' });
  #state = make('span', { class: 'state' });
  #why = make('span', { class: 'why' });
  #uptime = make('td', { class: 'number', 'data-label': 'up' });
  #restarts = make('td', { class: 'number', 'data-label': 'restarts' });
  #grpc = make('td', { class: 'address', 'data-label': 'gRPC' });
  /** @type {Device|null} */
  #device = null;
  #seen = new Restarts();

  constructor() {
    const state = make('td', { class: 'state-cell' }, this.#state, this.#why);
    this.element.append(this.#name, this.#kind, state, this.#uptime, this.#restarts, this.#grpc);
  }

  /** @param {Device} d */
  show(d) {
    this.#seen.see(d.epoch);
    this.#device = d;
    const { state, text, why } = describeState(d);
    Object.assign(this.element.dataset, { device: d.name, state, restarts: String(this.#seen.count) });
    setText(this.#name, d.name);
    setText(this.#kind, d.kind);
    setText(this.#state, text);
    setText(this.#why, why);
    setText(this.#restarts, String(this.#seen.count));
    setText(this.#grpc, d.grpcAddress || '–');
    this.#name.title = [`pid ${d.pid}`, d.version && `version ${d.version}`].filter(Boolean).join(', ');
  }

  /** @param {number} nowMs */
  tick(nowMs) {
    const d = this.#device;
    setText(this.#uptime, !d || d.startMs === null || d.gone ? '–' : uptime(nowMs - d.startMs));
  }
}
