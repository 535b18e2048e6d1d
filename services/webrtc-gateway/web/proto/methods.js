/** @file The methods that the library and the page call, with the types of their messages. */

/** @import { ControlService } from './gen/waldo/control/v1/control_service_pb.js' */
/** @import { SerialService } from './gen/waldo/serial/v1/serial_service_pb.js' */
/** @import { Method } from './types.js' */

/** Full names, by what the methods do. */
export const METHODS = {
  acquire: /** @type {Method<typeof ControlService.method.acquire>} */ ('waldo.control.v1.ControlService/Acquire'),
  take: /** @type {Method<typeof ControlService.method.take>} */ ('waldo.control.v1.ControlService/Take'),
  keepAlive: /** @type {Method<typeof ControlService.method.keepAlive>} */ ('waldo.control.v1.ControlService/KeepAlive'),
  release: /** @type {Method<typeof ControlService.method.release>} */ ('waldo.control.v1.ControlService/Release'),
  getControl: /** @type {Method<typeof ControlService.method.getControl>} */ ('waldo.control.v1.ControlService/GetControl'),
  eStop: /** @type {Method<typeof ControlService.method.eStop>} */ ('waldo.control.v1.ControlService/EStop'),
  clearEStop: /** @type {Method<typeof ControlService.method.clearEStop>} */ ('waldo.control.v1.ControlService/ClearEStop'),
  getPort: /** @type {Method<typeof SerialService.method.getPort>} */ ('waldo.serial.v1.SerialService/GetPort'),
  write: /** @type {Method<typeof SerialService.method.writeMessage>} */ ('waldo.serial.v1.SerialService/WriteMessage'),
};
