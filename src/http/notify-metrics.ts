// Notifications in Prometheus' text format.
import type { Notifier } from '../notify/notifier.ts';

export function renderNotifyMetrics({ attempts, pending }: ReturnType<Notifier['statistics']>): string {
  const lines = [
    '# HELP aimass_notifications_pending Deliveries that wait or are being tried.',
    '# TYPE aimass_notifications_pending gauge',
    ...Object.entries(pending).map(([channel, count]) => `aimass_notifications_pending{channel="${channel}"} ${count}`),
  ];
  if (attempts.length > 0) {
    lines.push(
      '# HELP aimass_notifications_total Attempts to deliver: delivered, failed and tried again, or given up.',
      '# TYPE aimass_notifications_total counter',
      ...attempts.map(
        ({ channel, result, count }) => `aimass_notifications_total{channel="${channel}",result="${result}"} ${count}`,
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}
