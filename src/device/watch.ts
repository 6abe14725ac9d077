// Looks at the devices at a steady pace, tells the log what changed, and lends one reading to all who ask at about the
// same time. Knows nothing of what runs on them.
import { log } from '../log.ts';
import type { XidEvent } from './nvml.ts';
import { createProbe, type DeviceChange, type Probe, type ProbeOptions } from './probe.ts';

export type DeviceWatch = Pick<Probe, 'devices' | 'topology' | 'nvmlProblem' | 'faults' | 'close'>;

const paceMs = 5000;
/** Younger readings are good enough for whoever asks; utilisation needs some time between two of them. */
const freshMs = 1000;

/** Looks for the first time when it is asked, or when this turn of the event loop is over. */
export function watchDevices(options: Pick<ProbeOptions, 'nvmlPath' | 'root' | 'ownPids'>): DeviceWatch {
  let opened: Probe | undefined;
  let readAt = -Infinity;
  let devices: ReturnType<Probe['devices']> = [];
  const probe = () => (opened ??= createProbe({ ...options, onChange: logChange, onXid: logXid }));
  const read = () => {
    devices = probe().devices();
    readAt = performance.now();
  };
  const first = setTimeout(read, 0);
  const timer = setInterval(read, paceMs);
  return {
    devices() {
      if (performance.now() - readAt >= freshMs) read();
      return devices;
    },
    get topology() {
      return probe().topology;
    },
    get nvmlProblem() {
      return probe().nvmlProblem;
    },
    get faults() {
      return probe().faults;
    },
    close() {
      clearTimeout(first);
      clearInterval(timer);
      opened?.close();
    },
  };
}

function logChange({ device, from, to, reason }: DeviceChange): void {
  const { id, kind, name, reading } = device;
  log(to === 'lost' ? 'error' : 'info', `device ${to}`, { id, kind, name, from, reason, bytes: reading.totalBytes });
}

function logXid({ deviceId, xid, message }: XidEvent): void {
  log('error', 'GPU fault', { id: deviceId, xid, reason: message });
}
