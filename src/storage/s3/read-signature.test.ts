import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { basicTime, httpDateMs } from '../../core/transfer/http-date.ts';
import { nodeClock } from '../../platform/clock.ts';
import { unixMs } from '../../core/base/units.ts';
import { ReadSigner } from './read-signature.ts';
import { encodeKey } from './s3-location.ts';
import { Signer } from './signer.ts';

test('a plain GET is signed as Amazon’s library signs it', async () => {
  const key = fc.array(
    fc.oneof(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.constant('a b+c&d=%41(!)*')),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  const property = fc.asyncProperty(
    key,
    fc.constantFrom('us-east-1', 'eu-central-1'),
    fc.option(
      fc.string({
        minLength: 1,
        maxLength: 30,
        unit: fc.constantFrom('a', 'X', '0', '+', '/', '='),
      }),
    ),
    fc.boolean(),
    fc.integer({ min: 0, max: 4_102_444_800_000 }),
    async (names, region, token, requesterPays, now) => {
      const credentials = {
        accessKeyId: 'AKIDEXAMPLE',
        secretAccessKey: 'secret/+=',
        ...(token === null ? {} : { sessionToken: token }),
      };
      const request = {
        authority: 'bucket.s3.example.org:9000',
        path: `/${encodeKey(names.join('/'))}`,
        headers: (requesterPays ? { 'x-amz-request-payer': 'requester' } : {}) as Record<
          string,
          string
        >,
      };
      const clock = Object.assign(nodeClock(), { unixMs: () => unixMs(now) });
      const theirs = await new Signer(clock).sign(
        { ...request, method: 'GET', secure: true, query: {}, payloadHash: 'UNSIGNED-PAYLOAD' },
        credentials,
        region,
      );
      const ours = new ReadSigner(credentials, region).sign(request, now);
      assert.deepEqual(Object.fromEntries(ours), Object.fromEntries(theirs));
    },
  );
  await fc.assert(property, { numRuns: 200 });
});

test('times are written as they are', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date('2199-12-31'), noInvalidDate: true }),
      (date) => {
        const expected = date.toISOString().replace(/[-:]|\.\d{3}/g, '');
        assert.equal(basicTime(date.getTime()), expected);
        assert.equal(httpDateMs(date.toUTCString()), Math.floor(date.getTime() / 1000) * 1000);
      },
    ),
  );
});
