// Tells systemd how the service is, when systemd asks to be told (Type=notify, WatchdogSec). Says nothing otherwise.
import { sendDatagram } from './libc.ts';

export interface ServiceNotifier {
  ready(): void;
  stopping(): void;
}

/** @param environment NOTIFY_SOCKET and WATCHDOG_USEC as systemd sets them */
export function createNotifier(environment: Record<string, string | undefined> = process.env): ServiceNotifier {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdogUs } = environment;
  const send = (state: string) => {
    if (socket) sendDatagram(socket, state);
  };
  let watchdog: Timer | undefined;
  return {
    ready() {
      send('READY=1');
      // On the main thread on purpose: when it is stuck, systemd should restart the service.
      if (watchdogUs) watchdog = setInterval(() => send('WATCHDOG=1'), Number(watchdogUs) / 2000);
      watchdog?.unref();
    },
    stopping() {
      send('STOPPING=1');
    },
  };
}
