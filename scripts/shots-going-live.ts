// A box in which something goes live, for pictures: a version that is live, another in the middle of a canary with
// requests coming in, a third that waits for review and would break its callers.
import type { SignedIn, Visitor } from '../test/http/admin/session.ts';
import { addScalar, twoInputs } from '../test/support/graphs.ts';

const settings = {
  model: 'credit',
  endpoint: 'fraud',
  environment: 'production',
  minInstances: '1',
  maxInstances: '2',
  inferenceTimeoutMs: '2000',
  maxQueueSize: '0',
  domain: 'fraud.models.corp.lan',
  licence: 'Apache-2.0',
  contact: 'wang.fang',
  minRequests: '20',
};

/** Addresses by the name of their picture. */
export const goingLivePages = {
  'going-live-review': '/releases/3',
  'going-live-releases': '/releases',
  'going-live-rolling': '/releases/2',
  'going-live-form': '/releases/new?model=credit&version=3&endpoint=fraud',
  'going-live-endpoints': '/endpoints',
  'going-live-endpoint': '/endpoints/fraud',
  'going-live-rollback': '/endpoints/fraud',
  'going-live-environments': '/environments',
  'going-live-compare': '/compare?a=credit:1&b=credit:3',
  'going-live-model': '/models/credit',
  'going-live-versions': '/models/credit/versions',
  'going-live-version': '/models/credit/versions/2',
  'going-live-overview': '',
};

/** Run in the page before its picture is taken. */
export const goingLiveScripts: Record<string, string> = {
  'going-live-rollback': `document.querySelector('[commandfor="rollback"]').click()`,
};

/** @returns stops the requests */
export async function goLive(box: SignedIn): Promise<() => void> {
  for (const bytes of [addScalar(1), addScalar(2), twoInputs()]) {
    await box.ask('POST', '/api/v1/models/credit/versions', bytes);
  }
  const owner = box.as('owner', 'wang.fang');
  const reviewer = box.as('reviewer', 'zhang.min');
  const ask = async (version: number, more: Record<string, string>) => {
    const { location = '' } = await owner.post('/admin/releases/submit', {
      ...settings,
      version: String(version),
      ...more,
    });
    return location;
  };
  await reviewer.post(`${await ask(1, { plan: 'all', statement: 'The first one.' })}/approve`);
  await until(reviewer, '/admin/releases/1', 'chip good');
  const steps = { 'step.0.percent': '10', 'step.0.minutes': '10', 'step.1.percent': '50', 'step.1.minutes': '30' };
  const canary = { plan: 'canary', ...steps, inferenceTimeoutMs: '1000' };
  await reviewer.post(`${await ask(2, { ...canary, statement: 'Trained on the new year.' })}/approve`);
  await until(reviewer, '/admin/endpoints/fraud', 'credit:2');
  const breaking = await ask(3, { plan: 'all', statement: 'Takes the merchant too.\nPlease tell the callers.' });
  await reviewer.post(`${breaking}/comment`, { text: 'Are all callers ready for the second input?' });
  await owner.post('/admin/models/credit/versions/2/note', { tags: 'gold, q3', note: 'Agreed with the fraud team.' });
  const inputs = [{ name: 'input', shape: [1, 4], datatype: 'FP32', data: [0, 0, 0, 0] }];
  const timer = setInterval(() => void box.ask('POST', '/v2/models/fraud/infer', { inputs }).catch(() => {}), 20);
  // Two points of the charts.
  await Bun.sleep(11_000);
  return () => clearInterval(timer);
}

async function until(visitor: Visitor, path: string, words: string): Promise<void> {
  while (!(await visitor.get(path)).text.includes(words)) await Bun.sleep(100);
}
