/** @file Full names of the methods that the library and the page call. */

/** By what they do. */
export const METHODS = {
  acquire: 'waldo.control.v1.ControlService/Acquire',
  take: 'waldo.control.v1.ControlService/Take',
  keepAlive: 'waldo.control.v1.ControlService/KeepAlive',
  release: 'waldo.control.v1.ControlService/Release',
  getControl: 'waldo.control.v1.ControlService/GetControl',
  eStop: 'waldo.control.v1.ControlService/EStop',
  clearEStop: 'waldo.control.v1.ControlService/ClearEStop',
  getPort: 'waldo.serial.v1.SerialService/GetPort',
  write: 'waldo.serial.v1.SerialService/WriteMessage',
};
