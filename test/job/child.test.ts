// What a child process is given of the environment.
import { afterEach, expect, test } from 'bun:test';

import { childEnvironment, setLibraryPath } from '../../src/job/child.ts';

afterEach(() => setLibraryPath(''));

test('children look for libraries where the setting says, and get no secrets', () => {
  setLibraryPath('/opt/cuda/lib64:/opt/cudnn/lib');
  process.env.AIMASS_TEST_SECRET = 'x';
  try {
    const environment = childEnvironment();
    expect(environment.LD_LIBRARY_PATH).toBe('/opt/cuda/lib64:/opt/cudnn/lib');
    expect(environment.ORT_DISABLE_TELEMETRY).toBe('1');
    expect(Object.values(environment)).not.toContain('x');
  } finally {
    delete process.env.AIMASS_TEST_SECRET;
  }
});
