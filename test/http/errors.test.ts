// Which answers ask the client to try again, in both forms of errors.
import { expect, test } from 'bun:test';

import { AppError, errorCodes } from '../../src/error.ts';
import { errorResponse } from '../../src/http/errors.ts';
import { errorResponse as v2ErrorResponse } from '../../src/http/v2/errors.ts';

test('every 503 and 429, and nothing else, says when to try again', () => {
  const asking = (answer: (error: AppError) => Response) =>
    errorCodes.filter((code) => {
      const { status, headers } = answer(new AppError(code, 'x'));
      expect(headers.get('retry-after')).toBe(status === 503 || status === 429 ? '1' : null);
      return status === 503;
    });
  expect(asking((error) => v2ErrorResponse(error, '/v2'))).toEqual(['overloaded', 'timeout', 'unavailable']);
  // A timeout is 504 here: what took too long once is not to be tried again right away.
  expect(asking((error) => errorResponse(error, 'id'))).toEqual(['overloaded', 'unavailable']);
});
