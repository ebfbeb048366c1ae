/** Events as texts: never more than SNS takes, and what was cut is said. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { eventText, MAX_EVENT_BYTES } from '../../src/contract/event-text.ts';

test('an event that fits is told whole, as JSON', () => {
  const body = { type: 't', list: Array.from({ length: 5_000 }, (_, i) => `key-${i}`), text: 'ü😀"\n' };
  expect(JSON.parse(eventText(body))).toEqual(body);
});

test('a catch-up of a whole month, which would be refused, is told with its first files and how many there were', () => {
  const added = Array.from(
    { length: 4_464 },
    (_, i) => `test/parquet_cp_hot/${'p'.repeat(63)}/2026/01/${i}.parquet`,
  );
  const body = { type: 'compaction_completed', requestId: 'r', status: 'SUCCESS', added, levels: [0, 5, 6] };
  const told = JSON.parse(eventText(body)) as typeof body & { truncated: unknown };
  expect(told).toEqual({ ...body, added: added.slice(0, 1_000), truncated: { added: 4_464 } });
});

test('a long text is cut, within an object too', () => {
  const told = JSON.parse(eventText({ type: 't', error: { code: 'C', message: 'é'.repeat(300_000) } }));
  expect(told).toMatchObject({ error: { code: 'C' }, truncated: { 'error.message': 300_000 } });
  expect(told.error.message.length).toBe(10_000);
});

test('characters that a queue behind the topic refuses are escaped', () => {
  const text = eventText({ type: 't', code: 'a\uffff\ufffe\ud800\u0007' });
  expect(text).toMatch(/^[ -~]*$/);
  expect(JSON.parse(text)).toEqual({ type: 't', code: 'a\uffff\ufffe\ud800\u0007' });
});

test('whatever an event holds, its text is JSON within the bound, with its plain fields as they are', () => {
  const entry = fc.oneof(
    fc.string({ maxLength: 3_000, unit: 'grapheme' }),
    fc.record({ file: fc.string(), error: fc.string({ maxLength: 4_096 }) }),
  );
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 200 }), fc.integer({ min: 4_096, max: 20_000 }), (list, max) => {
      const text = eventText({ type: 't', requestId: 'r', n: 5, nothing: null, list }, max);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(max);
      expect(JSON.parse(text)).toMatchObject({ type: 't', requestId: 'r', n: 5, nothing: null });
    }),
    { numRuns: 200 },
  );
  expect(MAX_EVENT_BYTES).toBeLessThan(256 * 1024);
});
