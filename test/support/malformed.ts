// Malformed requests to identity models, for fuzzing the handler and the executable alike.
import * as fc from 'fast-check';

import { datatypeBytes } from '../../src/types.ts';
import { datatypes } from '../http/v2/harness.ts';

const oddNumber = fc.oneof(
  fc.integer({ min: -2, max: 5 }),
  fc.double(),
  fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 63), 1e308, 9e15),
);
const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  oddNumber,
  fc.string({ unit: 'binary' }),
  fc.boolean(),
  fc.constant(null),
  fc.constant({}),
  fc.array(fc.integer({ min: -1, max: 300 }), { maxLength: 6 }),
  fc.jsonValue(),
);
/** Almost always what is right, sometimes anything, sometimes nothing. */
const mostly = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof(
    { arbitrary: right, weight: 40 },
    { arbitrary: oddValue, weight: 1 },
    { arbitrary: fc.constant(undefined), weight: 1 },
  );

const sometimes = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 9 }, { arbitrary: value, weight: 1 });

const parameters = fc.record({
  binary_data_output: sometimes(mostly(fc.boolean())),
  binary_data: sometimes(mostly(fc.boolean())),
  classification: sometimes(mostly(fc.integer({ min: 0, max: 4 }))),
  timeout: sometimes(mostly(fc.integer({ min: 0, max: 9 }))),
  priority: sometimes(mostly(fc.integer({ min: 0, max: 3 }))),
  sequence_id: sometimes(sometimes(oddValue)),
  triton_secret: sometimes(sometimes(oddValue)),
  ['__proto__']: sometimes(oddValue),
});

function valueOf(datatype: string): fc.Arbitrary<unknown> {
  if (datatype === 'BYTES') return fc.string({ unit: 'binary' });
  if (datatype === 'BOOL') return fc.boolean();
  return fc.oneof({ arbitrary: fc.integer({ min: 0, max: 127 }), weight: 9 }, { arbitrary: oddNumber, weight: 1 });
}

/** One input of an identity model, in JSON, with a few things wrong. */
function input(datatype: string): fc.Arbitrary<unknown> {
  return fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }), fc.integer({ min: -1, max: 1 }))
    .chain(([rows, columns, more]) => {
      const count = Math.max(0, rows * columns + (rows === 3 ? more : 0));
      const values = fc.array(valueOf(datatype), { minLength: count, maxLength: count });
      return fc.record({
        name: mostly(fc.constantFrom('x')),
        datatype: mostly(fc.constantFrom(datatype)),
        shape: mostly(fc.constant([rows, columns])),
        data: mostly(values),
        parameters: sometimes(fc.record({ binary_data_size: mostly(fc.integer({ min: 0, max: 40 })) })),
      });
    });
}

/** A model and a request for it. */
export const jsonCall = fc.constantFrom(...datatypes, 'BF16').chain((datatype) =>
  fc.record({
    model: fc.constantFrom(`identity_${datatype}`, `identity_${datatype}`, 'fixed', 'free', 'simple', 'nobody'),
    body: fc.record({
      id: sometimes(mostly(fc.string())),
      inputs: mostly(fc.array(mostly(input(datatype)), { minLength: 1, maxLength: 1 })),
      outputs: sometimes(
        mostly(fc.array(mostly(fc.record({ name: mostly(fc.constant('y')), parameters })), { maxLength: 2 })),
      ),
      parameters: sometimes(mostly(parameters)),
    }),
  }),
);

/** A model, the JSON part of a request for it, and the bytes behind that. */
export const binaryCall = fc.constantFrom(...datatypes).chain((datatype) =>
  fc.record({
    model: fc.constantFrom(`identity_${datatype}`, `identity_${datatype}`, 'free', 'scalar'),
    tail: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    body: fc.record({
      inputs: fc.constantFrom(0, 1, 2, 4, 7, 8, 9).map((size) => [
        {
          name: 'x',
          datatype,
          shape: [1, datatypeBytes[datatype] ? size / datatypeBytes[datatype] : 1],
          parameters: { binary_data_size: size },
        },
      ]),
      parameters: sometimes(mostly(parameters)),
    }),
  }),
);
