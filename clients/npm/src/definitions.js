/**
 * @file The definitions of messages and methods: those that the package was built with, and those that a device serves
 * of its own.
 */

import { createFileRegistry, createRegistry } from '@bufbuild/protobuf';
import { file_waldo_audio_v1_audio } from '#gen/waldo/audio/v1/audio_pb.js';
import { file_waldo_camera_v1_camera_service } from '#gen/waldo/camera/v1/camera_service_pb.js';
import { file_waldo_control_v1_control_service } from '#gen/waldo/control/v1/control_service_pb.js';
import { DeviceService, file_waldo_device_v1_device_service } from '#gen/waldo/device/v1/device_service_pb.js';
import { file_waldo_ingest_v1_ingest } from '#gen/waldo/ingest/v1/ingest_pb.js';
import { file_waldo_input_v1_input_service } from '#gen/waldo/input/v1/input_service_pb.js';
import { file_waldo_insta360_v1_insta360_service } from '#gen/waldo/insta360/v1/insta360_service_pb.js';
import { file_waldo_media_v1_media } from '#gen/waldo/media/v1/media_pb.js';
import { file_waldo_message_v1_message } from '#gen/waldo/message/v1/message_pb.js';
import { file_waldo_peer_v1_peer } from '#gen/waldo/peer/v1/peer_pb.js';
import { file_waldo_ptz_v1_ptz } from '#gen/waldo/ptz/v1/ptz_pb.js';
import { file_waldo_serial_v1_serial_service } from '#gen/waldo/serial/v1/serial_service_pb.js';
import { file_waldo_work_v1_work } from '#gen/waldo/work/v1/work_pb.js';
import { failure } from './status.js';

/**
 * @typedef {import('@bufbuild/protobuf').Registry} Registry
 * @typedef {import('@bufbuild/protobuf').DescMethod} DescMethod
 */

const built = createRegistry(
  file_waldo_audio_v1_audio, file_waldo_camera_v1_camera_service, file_waldo_control_v1_control_service,
  file_waldo_device_v1_device_service, file_waldo_ingest_v1_ingest, file_waldo_input_v1_input_service,
  file_waldo_insta360_v1_insta360_service, file_waldo_media_v1_media, file_waldo_message_v1_message,
  file_waldo_peer_v1_peer, file_waldo_ptz_v1_ptz, file_waldo_serial_v1_serial_service, file_waldo_work_v1_work,
);

/** The definitions of the devices of one robot. */
export class Definitions {
  #ask;
  /** @type {Map<string, {epoch: string, registry: Promise<Registry>}>} What devices serve, by name. */
  #own = new Map();

  /**
   * @param {(device: string, method: DescMethod, request: import('@bufbuild/protobuf').Message) =>
   *   Promise<import('@bufbuild/protobuf').Message>} ask Calls a device.
   */
  constructor(ask) {
    this.#ask = ask;
  }

  /**
   * @param {string} device
   * @param {string} epoch Its present life: another may have other definitions.
   * @param {string} name `waldo.device.v1.DeviceService/GetDevice`.
   * @returns {Promise<DescMethod>} Rejects with a CallError if there is no such method.
   */
  async method(device, epoch, name) {
    const [service, method, more] = name.replace(/^\//, '').split('/');
    if (!service || !method || more !== undefined) {
      throw failure('INVALID_ARGUMENT',
        `method "${name}": write the full name, such as waldo.device.v1.DeviceService/GetDevice`);
    }
    const known = built.getService(service) ?? (await this.#of(device, epoch)).getService(service);
    if (!known) throw failure('UNIMPLEMENTED', `${device} has no service ${service}`);
    const found = known.methods.find((m) => m.name === method);
    if (!found) {
      throw failure('UNIMPLEMENTED',
        `${service} has no method ${method}; it has ${known.methods.map((m) => m.name).join(', ')}`);
    }
    return found;
  }

  /** @param {string} type @returns Of a message, if the package was built with it. */
  builtMessage(type) {
    return built.getMessage(type);
  }

  /**
   * @param {string} device
   * @param {string} epoch
   * @param {string} type
   * @returns {Promise<import('@bufbuild/protobuf').DescMessage|undefined>}
   */
  async message(device, epoch, type) {
    return built.getMessage(type) ?? (await this.#of(device, epoch)).getMessage(type);
  }

  /** @param {string} device @param {string} epoch */
  #of(device, epoch) {
    const known = this.#own.get(device);
    if (known?.epoch === epoch) return known.registry;
    const registry = this.#fetch(device);
    registry.catch(() => {
      // The next who asks tries again.
      if (this.#own.get(device)?.registry === registry) this.#own.delete(device);
    });
    this.#own.set(device, { epoch, registry });
    return registry;
  }

  /** @param {string} device @returns {Promise<Registry>} */
  async #fetch(device) {
    const { files } = /** @type {import('#gen/waldo/device/v1/device_service_pb.js').GetDescriptorsResponse} */ (
      await this.#ask(device, DeviceService.method.getDescriptors,
        /** @type {any} */ ({ $typeName: 'waldo.device.v1.GetDescriptorsRequest' })));
    try {
      return files ? createFileRegistry(files) : createRegistry();
    } catch (error) {
      throw failure('INTERNAL',
        `${device} serves definitions that cannot be read: ${/** @type {Error} */ (error).message}`);
    }
  }
}
