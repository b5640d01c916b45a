import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { compareUtf8 } from './byte-order.ts';
import { formatHint, imagefolderHint, labelIdOf, parseHint } from './decode-hint.ts';
import { decodeLabels, encodeLabels } from './labels.ts';

const labelText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 });

function sampleWith(decodeHint: string): Parameters<typeof labelIdOf>[0] {
  return { sampleId: 4, location: '/x', byteOffset: null, byteLength: null, decodeHint };
}

test('labels are percent-encoded but for the unreserved characters of RFC 3986', () => {
  assert.equal(
    encodeLabels(["a-b._~Z9 (!*')/%", 'größe\n', '😀']),
    'schema_version=1\n0\ta-b._~Z9%20%28%21%2A%27%29%2F%25\n1\tgr%C3%B6%C3%9Fe%0A\n2\t%F0%9F%98%80\n',
  );
});

test('encoded labels decode to the same', () => {
  fc.assert(
    fc.property(fc.array(labelText), (labels) => {
      assert.deepEqual(decodeLabels(encodeLabels(labels), 'l'), labels);
    }),
  );
});

test('a labels file that deviates is refused with its line', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['schema_version=0\n0\ta\n', /Line 1 of l: /],
    ['schema_version=1\n1\ta\n', /Line 2 of l: /],
    ['schema_version=1\n0\ta\n2\tb\n', /Line 3 of l: /],
    ['schema_version=1\n0\ta b\n', /Line 2 of l: /],
    ['schema_version=1\n0\t%2f\n', /Line 2 of l: /],
    ['schema_version=1\n0\t%F0\n', /Line 2 of l: /],
    ['schema_version=1\n0\t\n', /Line 2 of l: /],
    ['schema_version=1\n0\ta\tb\n', /Line 2 of l: /],
    ['schema_version=1\n0\ta', /Line 2 of l: /],
  ];
  for (const [text, message] of cases) assert.throws(() => decodeLabels(text, 'l'), message);
});

test('hints are a kind and key=value pairs', () => {
  const text = 'mx8:video;start_ms=0;end_ms=40';
  const hint = parseHint(text);
  assert.deepEqual(
    [...(hint?.fields ?? [])],
    [
      ['start_ms', '0'],
      ['end_ms', '40'],
    ],
  );
  assert.equal(hint === null ? '' : formatHint(hint), text);
  for (const other of ['', 'x:y', 'mx8:video;a', 'mx8:video;a=1;a=2', 'mx8:video;=1']) {
    assert.equal(parseHint(other), null);
  }
});

test('the label id of a sample is read from its hint, and is -1 without one', () => {
  assert.equal(labelIdOf(sampleWith(imagefolderHint(37))), 37);
  assert.equal(labelIdOf(sampleWith('mx8:vision:imagefolder;x=1;label_id=2;y=3')), 2);
  for (const hint of ['', 'mx8:video;a=1', 'other;label_id=3', 'mx8:a;my_label_id=3']) {
    assert.equal(labelIdOf(sampleWith(hint)), -1);
  }
  for (const id of ['', '-1', '01', '2147483648', 'x']) {
    assert.throws(() => labelIdOf(sampleWith(`mx8:v;label_id=${id}`)), /sample 4 at \/x/);
  }
});

test('texts compare as their UTF-8 bytes do', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', '-', '/', 'é', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}'),
  });
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(Math.sign(compareUtf8(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { numRuns: 500 },
  );
});
