// Runs the appliance as a service: start, tell systemd, stop on a signal. Resolves with the exit code.
import { openAppliance } from './app.ts';
import type { LoadedConfig } from './config.ts';
import { messageOf } from './error.ts';
import { log } from './log.ts';
import { parseListen } from './setting-text.ts';
import { createNotifier } from './systemd.ts';
import { version } from './version.ts';

export async function serve({ config, sources }: LoadedConfig): Promise<number> {
  // The database, the sockets and uploads are nobody else's, whatever the folder's mode.
  process.umask(0o077);
  const stop = Promise.withResolvers<string>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.resolve(signal));
  const notifier = createNotifier();
  const appliance = await openAppliance(config, { sources });
  const startupMs = Math.round(performance.now());
  log('info', 'ready', { version, listen: appliance.url, data: config.data, startupMs });
  if (isLoopback(config.listen)) {
    log('info', 'only this machine can connect: docs/install.md tells how to serve the network');
  } else if (config.tls === 'off' && config.trustedProxies === '') {
    log('warn', 'passwords and keys cross the network in the clear: set tls, or put a proxy in front (docs/tls.md)');
  }
  if (appliance.setupUrl) {
    log('info', 'nobody owns this server yet: open the link once to make its first administrator', {
      setup: appliance.setupUrl,
    });
  }
  notifier.ready();
  appliance.restored.catch((error) => log('error', 'models not restored', { reason: messageOf(error) }));

  const signal = await stop.promise;
  log('info', 'stopping', { signal });
  notifier.stopping();
  await appliance.close();
  log('info', 'stopped');
  return 0;
}

function isLoopback(listen: string): boolean {
  const { hostname } = parseListen(listen);
  return hostname === 'localhost' || hostname === '::1' || hostname.startsWith('127.');
}
